#pragma once

#include <string_view>
#include <utility>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// The exception in flight as an `Error`: its own when it carries one, `out_of_resources` when memory or threads ran
/// out, else `internal`. Inside a `catch (...)` only. `doing` begins the message: "reading an answer".
[[nodiscard]] KTRDR_EXPORT Error caught(std::string_view doing);

/// Log the exception in flight at error level and forget it. Inside a `catch (...)` only.
KTRDR_EXPORT void log_caught(std::string_view room, std::string_view doing) noexcept;

/// The last line of every thread's loop: run one function; what escapes it is logged, and the thread goes on. Whoever
/// waits for what the function does is told where it is known who waits, with `caught`; this is for what got past that.
template <class Function>
void survive(std::string_view room, std::string_view doing, Function&& function) noexcept {
    try {
        std::forward<Function>(function)();
    } catch (...) {
        log_caught(room, doing);
    }
}

}  // namespace ktrdr
