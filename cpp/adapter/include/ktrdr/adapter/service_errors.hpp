#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>

namespace ktrdr {

/// What was asked, for errors.
struct Asked {
    std::string service{};
    std::string method{};
    /// Without query and user info.
    std::string url{};
};

[[nodiscard]] constexpr bool is_success(int status) noexcept {
    return status >= 200 && status <= 299;
}

/// What an answer with a status that is no success comes to: `status`, with the reason that the service gives, and in
/// its context the status, the first 4 KiB of the body, the attempts and, where the service says it, after how many
/// seconds to come back as "retry_after". A record of an error in the body (an object
/// with a "message", by itself or as its "error" or "detail") is kept as "cause": `{"code", "message", "context"}`.
[[nodiscard]] KTRDR_EXPORT Error status_error(const Asked& asked, const Response& response);

/// What an answer whose body is not JSON comes to: `protocol`. `why` is the parser's word.
[[nodiscard]] KTRDR_EXPORT Error not_json_error(const Asked& asked, const Response& response, const std::string& why);

/// The JSON of an answer to what was `asked`, whose URL is still without the base: an error of the two kinds above
/// where there is none.
[[nodiscard]] KTRDR_EXPORT Result<boost::json::value> json_answer(std::string_view base_url, Asked asked,
                                                                  const Response& response);

}  // namespace ktrdr
