#pragma once

#include <boost/json/object.hpp>
#include <boost/system/result.hpp>
#include <exception>
#include <string>

#include <ktrdr/base/errc.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// An expected failure: what happened, in words for a person, with the facts beside it.
///
/// The message says what was tried, on what, with which limit, and what to change.
/// `context` holds the same facts as plain JSON (url, phase, symbol, field, …) for programs.
struct Error {
    Errc code{Errc::internal};
    std::string message{};
    boost::json::object context{};

    friend bool operator==(const Error&, const Error&) = default;
};

/// Thrown by `Result<T>::value()` and by misuse; bindings never let it cross a thread.
class KTRDR_EXPORT ErrorException final : public std::exception {
public:
    explicit ErrorException(Error error) : error_(std::move(error)) {}
    [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }
    [[nodiscard]] const Error& error() const noexcept { return error_; }

private:
    Error error_;
};

/// Found by argument-dependent lookup from `boost::system::result::value()`.
[[noreturn]] KTRDR_EXPORT void throw_exception_from_error(const Error& error, const boost::source_location&);

/// A value or an `Error`. Expected failures travel in it; misuse throws.
template <class T>
using Result = boost::system::result<T, Error>;

/// Shorthand for a failure with facts: `return fail(Errc::not_found, "…", {{"symbol", name}});`
[[nodiscard]] inline Error fail(Errc code, std::string message, boost::json::object context = {}) {
    return Error{code, std::move(message), std::move(context)};
}

}  // namespace ktrdr
