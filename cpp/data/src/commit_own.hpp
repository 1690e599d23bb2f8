#pragma once

#include <cstddef>
#include <functional>

#include <ktrdr/data/own_bars.hpp>

namespace ktrdr {

/// Store bars that were found sound, all or none, on this thread; the value is that of `store_own_bars`. `on_rows` is
/// told how many are written; the operation's token is looked at as often.
[[nodiscard]] Result<boost::json::object> commit_own(const StoreMeans& means, const SeriesKey& key,
                                                     const OwnBars& given,
                                                     const std::function<void(std::size_t)>& on_rows);

/// Have the compute threads do what stored bars leave to be done; nobody waits for it.
void settle_behind(const StoreMeans& means);

}  // namespace ktrdr
