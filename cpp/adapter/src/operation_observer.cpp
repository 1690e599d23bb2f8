#include <ktrdr/adapter/operation_observer.hpp>

#include <fmt/format.h>

namespace ktrdr {

void OperationObserver::on_attempt_failed(const Attempt& attempt) {
    const auto operation = operation_.lock();
    if (!operation) {
        return;
    }
    const std::string came = attempt.status != 0 ? fmt::format("was answered {}", attempt.status) : attempt.error;
    const std::string next = attempt.pause ? fmt::format("again in {} ms", attempt.pause->count())
                                           : fmt::format("not again ({})", attempt.stopped_by);
    operation->add_log(fmt::format("{}: attempt {}: {}; {}", what_, attempt.number, came, next), to_json(attempt));
}

}  // namespace ktrdr
