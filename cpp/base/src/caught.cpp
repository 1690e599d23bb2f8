// What becomes of an exception that nobody expected: an error for whom it concerns, or a line of log.

#include <ktrdr/base/caught.hpp>

#include <fmt/format.h>

#include <new>
#include <system_error>

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

constexpr std::string_view free_some = "close other programs, work on less at once, or raise the limit (`ulimit -v`)";

bool is_shortage(const std::error_code& code) {
    return code == std::errc::resource_unavailable_try_again || code == std::errc::not_enough_memory ||
           code == std::errc::too_many_files_open || code == std::errc::too_many_files_open_in_system;
}

}  // namespace

Error caught(std::string_view doing) {
    try {
        throw;
    } catch (const ErrorException& error) {
        return error.error();
    } catch (const std::bad_alloc&) {
        return fail(Errc::out_of_resources, fmt::format("{}: there is no memory left; {}", doing, free_some));
    } catch (const std::system_error& error) {
        if (is_shortage(error.code())) {
            return fail(Errc::out_of_resources, fmt::format("{}: {}", doing, error.what()));
        }
        return fail(Errc::internal, fmt::format("{}: {}", doing, error.what()));
    } catch (const std::exception& error) {
        return fail(Errc::internal, fmt::format("{}: {}", doing, error.what()));
    } catch (...) {
        return fail(Errc::internal, fmt::format("{}: an exception of no known type", doing));
    }
}

void log_caught(std::string_view room, std::string_view doing) noexcept {
    try {
        log(LogLevel::error, room, "an exception reached the end of a thread's loop: " + caught(doing).message);
    } catch (...) {  // NOLINT(bugprone-empty-catch): without memory for a line of log nothing can be said.
    }
}

}  // namespace ktrdr
