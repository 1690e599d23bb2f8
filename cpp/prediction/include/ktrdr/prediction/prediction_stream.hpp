#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/prediction/predictor.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {

/// A bar as it comes: its stamp, then open, high, low, close, volume.
struct NewBar {
    std::int64_t time{0};
    std::array<double, 5> values{};
};

/// What a model says of one bar.
struct Prediction {
    std::int64_t time{0};
    std::size_t predicted{0};
    std::vector<float> chances{};
};

/// Predictions for bars as they come, each the same bits as that of `predict_bars` for all bars so far.
///
/// Bars of other timeframes count once they are closed when the base bar is, so they are handed in before it.
/// Thread safety: none; each stream has one user at a time. Cost: of a bar, that of its indicators and one pass through
/// the network, however many came before.
class KTRDR_EXPORT PredictionStream final : private Counted<PredictionStream> {
public:
    /// `history`: bars before the first one predicted for. Sessions are those of `Predictor::grid_of`.
    PredictionStream(std::shared_ptr<const Predictor> model, std::size_t history, std::string symbol);

    /// The next bar of a timeframe, an index of the model's. A prediction for a base bar that has all of its history
    /// and no missing value, else nothing.
    ///
    /// Errors: `invalid_argument` for a bar that is not later than the last of its timeframe, and for one of another
    /// timeframe that was closed before the last base bar was, which should have used it. The stream is as before then.
    [[nodiscard]] Result<std::optional<Prediction>> push(std::size_t timeframe, const NewBar& bar);

    /// The features of the last base bar as the network sees them, NaN where one has no value; empty before the first.
    [[nodiscard]] const std::vector<float>& features() const noexcept { return row_; }
    /// What a person should know of the bars so far, for each timeframe that has holes the longest of them.
    [[nodiscard]] std::vector<std::string> warnings() const;
    /// How many bars of a timeframe are still missing before its history is whole.
    [[nodiscard]] std::size_t missing(std::size_t timeframe) const;

private:
    struct SourceState {
        std::unique_ptr<IndicatorState> state{};
        std::vector<double> inputs{};
        std::vector<double> outputs{};
    };
    /// One timeframe's indicators, and what each set has said of the last bars.
    struct SeriesState {
        SeriesState(const Timeframe& timeframe, BarGrid its_sessions)
            : grid(timeframe), sessions(std::move(its_sessions)) {}
        SeriesState(SeriesState&&) = default;

        /// When a bar counts, as in the training.
        BarGrid grid;
        /// Where bars are missing.
        BarGrid sessions;
        std::vector<SourceState> sources{};
        /// `lags + 1` memberships for each set; a bar's place is its number modulo that.
        std::vector<double> memberships{};
        /// Since the last hole.
        std::size_t bars{0};
        double close_before{no_value};
        std::optional<std::int64_t> taken{};
        std::optional<std::int64_t> last{};
        /// Handed in, and not yet closed when the last base bar was.
        std::deque<NewBar> waiting{};
    };

    void take(SeriesState& series, const NewBar& bar);
    /// Forget what was before a hole.
    void begin_anew(SeriesState& series) const;
    /// Its row of features from what the series remember; whether all have a value.
    [[nodiscard]] bool fill_row();

    std::shared_ptr<const Predictor> model_;
    std::size_t history_;
    std::vector<SeriesState> series_{};
    std::vector<float> row_{};
    std::optional<UtcTime> known_{};
    std::string symbol_;
    std::vector<SeriesHole> holes_{};
    Mlp::Scratch scratch_{};
};

}  // namespace ktrdr
