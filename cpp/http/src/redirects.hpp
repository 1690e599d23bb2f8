#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/options.hpp>

namespace ktrdr {

/// The request that an answer's `Location` asks for, `url` being the whole address that was asked before; none where
/// its status asks for none. `protocol`, in words that follow "answered 302, …", for one that cannot or must not be
/// followed: no Location or two, another scheme than http and https, from https to http, a user name in it.
///
/// 301 and 302 turn a POST into a GET, 303 everything but HEAD; 307 and 308 keep method and body (RFC 9110, 15.4). To
/// another origin go only headers that cannot be credentials.
[[nodiscard]] Result<std::optional<Request>> redirected(const Request& asked, std::string_view url,
                                                        const Response& answer);

/// A request and those that its answers lead to, under one deadline.
///
/// Thread safety: none.
class Redirects final {
public:
    /// `request` follows no redirect by itself from then on. `base_url` stands before a path.
    Redirects(Request& request, const std::string& base_url, const Timeouts& limits);

    /// What to send next; none where the answer stands. `protocol` where there were more than may be, or one that leads
    /// nowhere.
    [[nodiscard]] Result<std::optional<Request>> next(const Request& asked, const Response& answer);
    /// Write into the answer that stands how it was reached.
    void tell(Response& answer);

private:
    [[nodiscard]] Error with_facts(std::string_view what, const Request& asked, const Response& answer,
                                   boost::json::object facts) const;

    std::size_t most_;
    SteadyTime started_;
    /// Asked for last.
    std::string url_;
    std::vector<std::string> passed_{};
};

}  // namespace ktrdr
