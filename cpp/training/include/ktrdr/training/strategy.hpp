#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/features/feature_matrix.hpp>
#include <ktrdr/features/labels.hpp>
#include <ktrdr/features/split.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// What is trained on what, read from a strategy file's JSON.
///
/// The Python side has checked every key and filled in defaults; here is checked again whatever a training rests on.
struct KTRDR_EXPORT Strategy {
    std::string name{};
    std::vector<std::string> symbols{};
    std::vector<std::string> timeframes{};
    /// The timeframe whose bars are rows; one of `timeframes`.
    std::string base_timeframe{};
    /// Fewest bars a series must have; 0 for no rule of its own.
    std::size_t history_required{0};
    FeaturePlan features{};
    LabelRule labels{};
    /// Whether the rows that train count by their labels' weights.
    bool weigh_labels{false};
    SplitShares split{};
    /// Bars of the base timeframe between the end of a part's last label and the beginning of the next part.
    std::size_t embargo{0};
    /// Whether features are centred and scaled by what the training part shows.
    bool scale_features{false};
    /// Without inputs and classes, which the data say.
    ModelSpec model{};
    TrainerOptions options{};
    /// All of it, as it was given.
    boost::json::object source{};

    /// `strategy` naming the path of the key, as in `model.training.epochs`.
    [[nodiscard]] static Result<Strategy> parse(const boost::json::object& json);

    /// For people and their programs: `{name, symbols, timeframes, base_timeframe, features: [name, …], warm_up_bars,
    /// parameters}`, the parameters being those of the network.
    [[nodiscard]] boost::json::object summary() const;
};

}  // namespace ktrdr
