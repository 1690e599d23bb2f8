#include <ktrdr/data/bar_source.hpp>

#include <fmt/format.h>

#include <ktrdr/data/series_words.hpp>

namespace ktrdr {

Result<void> BarSource::check_kind(const SeriesKind& kind) const {
    if (kind.usual()) {
        return {};
    }
    const bool shown = kind.what_to_show == usual_show(kind.instrument_type);
    return fail(Errc::invalid_argument,
                fmt::format("the source of {} has bars of {} in regular hours, not of {} in {} hours: leave {} out, or "
                            "use a source that has them",
                            provider(), usual_show(kind.instrument_type), kind.what_to_show, kind.session,
                            shown ? "session" : "what_to_show"),
                {{"field", shown ? "session" : "what_to_show"}});
}

}  // namespace ktrdr
