// What a training takes of a strategy, in short.

#include <boost/json/array.hpp>

#include <ktrdr/training/strategy.hpp>

namespace ktrdr {
namespace {

boost::json::array array_of(const std::vector<std::string>& names) {
    return boost::json::array(names.begin(), names.end());
}

/// Weights and biases of layers that are each joined to the next.
std::int64_t parameters_of(const ModelSpec& model) {
    std::int64_t count = 0;
    auto width = static_cast<std::int64_t>(model.inputs);
    for (const std::int64_t next : model.hidden_layers) {
        count += (width + 1) * next;
        width = next;
    }
    return count + (width + 1) * static_cast<std::int64_t>(model.classes);
}

}  // namespace

boost::json::object Strategy::summary() const {
    std::vector<Timeframe> read;
    for (const std::string& timeframe : timeframes) {
        read.push_back(Timeframe::parse(timeframe).value());
    }
    const std::vector<std::string> names = feature_names(features, read);
    ModelSpec network = model;
    network.inputs = names.size();
    return {{"name", name},
            {"symbols", array_of(symbols)},
            {"timeframes", array_of(timeframes)},
            {"base_timeframe", base_timeframe},
            {"features", array_of(names)},
            {"warm_up_bars", warm_up_bars(features)},
            {"parameters", parameters_of(network)}};
}

}  // namespace ktrdr
