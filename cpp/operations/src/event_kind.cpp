// The one table of kinds of event, each with its name; whoever reads a name goes through it too.

#include <ktrdr/operations/event_kind.hpp>

// Whatever the build's own flags are: a kind without a name does not compile.
#pragma GCC diagnostic error "-Wswitch"

namespace ktrdr {

std::string_view to_string(OperationEventKind kind) noexcept {
    using enum OperationEventKind;
    switch (kind) {
        case state: return "state";
        case progress: return "progress";
        case metric: return "metric";
        case warning: return "warning";
        case log: return "log";
    }
    // Behind the last kind, where event_kind_names() stops.
    return {};
}

std::vector<std::string_view> event_kind_names() {
    std::vector<std::string_view> names;
    for (int i = 0; !to_string(OperationEventKind{i}).empty(); ++i) {
        names.push_back(to_string(OperationEventKind{i}));
    }
    return names;
}

std::optional<OperationEventKind> event_kind_from(std::string_view text) noexcept {
    for (int i = 0; !to_string(OperationEventKind{i}).empty(); ++i) {
        if (to_string(OperationEventKind{i}) == text) {
            return OperationEventKind{i};
        }
    }
    return std::nullopt;
}

}  // namespace ktrdr
