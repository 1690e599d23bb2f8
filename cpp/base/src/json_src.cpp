// Boost.JSON compiled once: Debian's static library is not position independent. The Python modules take it from
// libktrdr, so what is defined here is exported.
#pragma GCC visibility push(default)
#include <boost/json/src.hpp>
#pragma GCC visibility pop
