// aimeter completion bash|zsh|fish: a script made of the tree of commands, so it never lags behind.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <ostream>

#include "cli/frame.h"

namespace aimeter::cli {
namespace {

struct Word {
  std::string text, about;
  bool takes_value = false;
};

// One command: what may follow it.
struct Node {
  std::string path;  // "", "report", "prices list"
  std::vector<Word> commands, options;
};

std::vector<Word> options_of(const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      words.push_back(
          {"--" + name, option->get_description(), option->get_items_expected_max() > 0});
    }
  }
  return words;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{path, {}, options_of(app)};
  const auto all = [](const CLI::App*) { return true; };
  for (const CLI::App* child : app.get_subcommands(all)) {
    node.commands.push_back({child->get_name(), child->get_description()});
  }
  nodes.push_back(std::move(node));
  for (const CLI::App* child : app.get_subcommands(all)) {
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), nodes);
  }
}

// Every command also takes the global options.
std::vector<Node> nodes_of(const CLI::App& root) {
  std::vector<Node> nodes;
  collect(root, "", nodes);
  for (Node& node : nodes) {
    if (node.path.empty()) continue;
    for (const Word& global : nodes.front().options) {
      const auto same = [&](const Word& word) { return word.text == global.text; };
      const bool version = global.text == "--version";
      if (!version && std::ranges::none_of(node.options, same)) node.options.push_back(global);
    }
  }
  return nodes;
}

// `text` between single quotes; `quote` is how the shell writes a quote there.
std::string quoted(std::string_view text, std::string_view quote) {
  std::string shown = "'";
  for (const char c : text) {
    if (c == '\'') {
      shown += quote;
    } else {
      shown += c;
    }
  }
  return shown + "'";
}

std::string words_of(const std::vector<Word>& words, bool only_with_value = false) {
  std::string text;
  for (const Word& word : words) {
    if (only_with_value && !word.takes_value) continue;
    text += (text.empty() ? "" : " ") + word.text;
  }
  return text;
}

// Sets `path` to the commands typed so far: a word that is a command of the path so far goes on it.
std::string walk_of(const std::vector<Node>& nodes, std::string_view indent) {
  std::string text;
  for (const Node& node : nodes) {
    for (const Word& command : node.commands) {
      const std::string next = node.path.empty() ? command.text : node.path + " " + command.text;
      text += fmt::format("{}'{}/{}') path='{}' ;;\n", indent, node.path, command.text, next);
    }
  }
  return text;
}

std::string bash_script(const std::vector<Node>& nodes) {
  std::string cases;
  for (const Node& node : nodes) {
    cases +=
        fmt::format("    '{}') commands='{}' options='{}' valued='{}' ;;\n", node.path,
                    words_of(node.commands), words_of(node.options), words_of(node.options, true));
  }
  return fmt::format(R"(# bash completion of aimeter
_aimeter() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local path='' commands='' options='' valued='' i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$path/${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$path" in
{}  esac
  COMPREPLY=()
  case " $valued " in
    *" $previous "*) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *)
      if [ -n "$commands" ]; then
        COMPREPLY=($(compgen -W "$commands" -- "$current"))
      else
        COMPREPLY=($(compgen -f -- "$current"))
      fi ;;
  esac
}}
complete -o filenames -F _aimeter aimeter
)",
                     walk_of(nodes, "      "), cases);
}

std::string zsh_list(const std::vector<Word>& words) {
  std::string text;
  for (const Word& word : words) text += " " + quoted(word.text + ":" + word.about, "'\\''");
  return text;
}

std::string zsh_script(const std::vector<Node>& nodes) {
  std::string cases;
  for (const Node& node : nodes) {
    cases += fmt::format(
        "    '{}')\n      commands=({} )\n      options=({} )\n      valued=({}) ;;\n", node.path,
        zsh_list(node.commands), zsh_list(node.options), words_of(node.options, true));
  }
  return fmt::format(R"(#compdef aimeter
_aimeter() {{
  local path_so_far='' i
  local -a commands options valued
  for ((i = 2; i < CURRENT; ++i)); do
    local path=$path_so_far
    case "$path/${{words[i]}}" in
{}    esac
    path_so_far=$path
  done
  case "$path_so_far" in
{}  esac
  if (( ${{valued[(Ie)${{words[CURRENT-1]}}]}} )); then
    _files
  elif [[ ${{words[CURRENT]}} == -* ]]; then
    _describe -o 'option' options
  elif (( ${{#commands}} )); then
    _describe 'command' commands
  else
    _files
  fi
}}
compdef _aimeter aimeter
)",
                     walk_of(nodes, "      "), cases);
}

std::string fish_condition(const Node& node) {
  if (node.path.empty()) return "__fish_use_subcommand";
  std::string text;
  for (std::size_t begin = 0; begin < node.path.size();) {
    const std::size_t end = std::min(node.path.find(' ', begin), node.path.size());
    text += (text.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") +
            node.path.substr(begin, end - begin);
    begin = end + 1;
  }
  if (node.commands.empty()) return text;
  return text + "; and not __fish_seen_subcommand_from " + words_of(node.commands);
}

std::string fish_script(const std::vector<Node>& nodes) {
  std::string text = "# fish completion of aimeter\n";
  for (const Node& node : nodes) {
    const std::string condition = quoted(fish_condition(node), "\\'");
    for (const Word& command : node.commands) {
      text += fmt::format("complete -c aimeter -f -n {} -a {} -d {}\n", condition, command.text,
                          quoted(command.about, "\\'"));
    }
    for (const Word& option : node.options) {
      text +=
          fmt::format("complete -c aimeter -n {} -l {}{} -d {}\n", condition, option.text.substr(2),
                      option.takes_value ? " -r" : "", quoted(option.about, "\\'"));
    }
  }
  return text;
}

Result<Exit> print(Frame& frame, const std::string& shell) {
  struct Shell {
    std::string_view name;
    std::string (*script)(const std::vector<Node>&);
  };
  static constexpr std::array kShells = {Shell{"bash", bash_script}, Shell{"zsh", zsh_script},
                                         Shell{"fish", fish_script}};
  const auto known = std::ranges::find(kShells, shell, &Shell::name);
  if (known == kShells.end()) return bad_input("SHELL", shell, "one of bash, zsh, fish");
  const std::string script = known->script(nodes_of(frame.root()));
  if (frame.json()) {
    const boost::json::value document = {{"shell", shell}, {"script", script}};
    frame.console().out() << boost::json::serialize(document) << '\n';
  } else {
    frame.console().out() << script;
  }
  return Exit::done;
}

}  // namespace

void add_completion(Frame& frame) {
  auto shell = std::make_shared<std::string>();
  CLI::App& app = frame.add({"completion",
                             "Prints a completion script for a shell",
                             {"aimeter completion bash > /etc/bash_completion.d/aimeter",
                              "aimeter completion zsh > \"${fpath[1]}/_aimeter\"",
                              "aimeter completion fish > ~/.config/fish/completions/aimeter.fish"}},
                            [&frame, shell] { return print(frame, *shell); });
  app.add_option("SHELL", *shell, "bash, zsh or fish")->required();
}

}  // namespace aimeter::cli
