#include <ktrdr/operations/event.hpp>
#include <ktrdr/operations/record.hpp>

namespace ktrdr {

std::string_view to_string(OperationEventKind kind) noexcept {
    switch (kind) {
        case OperationEventKind::state: return "state";
        case OperationEventKind::progress: return "progress";
        case OperationEventKind::metric: return "metric";
        case OperationEventKind::warning: return "warning";
        case OperationEventKind::log: return "log";
    }
    return "log";
}

boost::json::object event_data(const OperationEvent& event) {
    return event.progress ? to_json(*event.progress) : event.data;
}

}  // namespace ktrdr
