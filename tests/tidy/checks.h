// The house rules that a tool can see. Each check adds every breach it finds.
#pragma once

#include <vector>

#include "tests/tidy/tree.h"

namespace aimeter::tidy {

using Breaches = std::vector<Breach>;

void check_layers(const Tree& tree, Breaches& breaches);   // layers.txt and every include
void check_cards(const Tree& tree, Breaches& breaches);    // the five lines of every header
void check_limits(const Tree& tree, Breaches& breaches);   // lines, functions, parameters, files
void check_words(const Tree& tree, Breaches& breaches);    // what must not occur, and where
void check_names(const Tree& tree, Breaches& breaches);    // of folders and files
void check_drivers(const Tree& tree, Breaches& breaches);  // builtin.inc and commands.inc
void check_dead(const Tree& tree, Breaches& breaches);     // a header that nobody includes
void check_papers(const Tree& tree, Breaches& breaches);   // package READMEs, decisions, links

Breaches check_all(const Tree& tree);

}  // namespace aimeter::tidy
