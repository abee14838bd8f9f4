// Package:       app
// Units:         none
// Errors:        none
// Thread safety: none
// Ownership:     none
//
// Everything but aimeter/asio.h (needs Boost.Asio) and aimeter/testing.h (for tests of hosts).
#pragma once

#include "aimeter/engine.h"
#include "aimeter/quota_guard.h"
