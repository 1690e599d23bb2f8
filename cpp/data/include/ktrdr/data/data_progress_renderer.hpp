#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/progress/renderer.hpp>
#include <ktrdr/progress/tree.hpp>

namespace ktrdr {

/// The steps of a load in full mode, in order, the last where its bars are checked; a local one has only `read_local`,
/// and that.
enum class LoadStep : std::size_t { validate_symbol, first_timestamp, read_local, plan, segments, read_bars, quality };

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(LoadStep step) noexcept;
/// The steps of a mode with their share of the bar.
[[nodiscard]] KTRDR_EXPORT std::vector<ProgressStep> load_steps(LoadMode mode, bool checked = false);

/// `Loading AAPL 1d data (full mode) [3/5]` while segments come, and the step's name in the other steps.
///
/// Reads symbol, timeframe and mode from the state's context, leaving out what it lacks, and adds current_segment,
/// total_segments and bars_processed to it. A state of others' making has `[3/5]` from its own counts.
class KTRDR_EXPORT DataProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override;
    [[nodiscard]] ProgressState enhance_state(ProgressState state) const override;
};

}  // namespace ktrdr
