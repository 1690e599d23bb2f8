#include <ktrdr/operations/event.hpp>
#include <ktrdr/operations/record.hpp>

namespace ktrdr {

boost::json::object event_data(const OperationEvent& event) {
    return event.progress ? to_json(*event.progress) : event.data;
}

}  // namespace ktrdr
