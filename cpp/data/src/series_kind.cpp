// What is usual of a series, apart from the other words: who reads answers asks this, and those need the store.

#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/series_words.hpp>

namespace ktrdr {

std::string_view usual_show(std::string_view asset_class) noexcept {
    return asset_class == "forex" ? "MIDPOINT" : "TRADES";
}

bool SeriesKind::usual() const noexcept {
    return what_to_show == usual_show(instrument_type) && session == "regular";
}

}  // namespace ktrdr
