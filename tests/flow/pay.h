// Package:       tests
// Units:         none
// Errors:        the exit code of a process: 1 when something went wrong, said on standard error.
// Thread safety: called once, by main.
// Ownership:     none.
//
// A process that spends from the wallet of credits_test.cpp and prints "TOKENS CALLS".
#pragma once

#include <cstdint>
#include <string>

namespace aimeter::flow {

int pay_all(const std::string& dsn, std::uint64_t seed, bool overdraft);

}  // namespace aimeter::flow
