#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>

namespace ktrdr {

/// One line at DEBUG for a request that has its answer, or has none: method, URL without what may be a secret, status,
/// time. Does nothing where nobody logs that much.
class RequestLog final {
public:
    /// `origin` and `target` make up the URL.
    RequestLog(const Request& request, std::string_view origin, std::string_view target);

    [[nodiscard]] bool is_on() const noexcept { return !shown_.empty(); }
    void tell(const Result<Response>& answer) const;
    void tell_status(int status) const { tell(std::to_string(status)); }

private:
    void tell(const std::string& outcome) const;

    std::string shown_{};
    std::string operation_id_{};
    SteadyTime began_{};
};

}  // namespace ktrdr
