// The JSON of a strategy, from whoever sends it: it is read, or refused with the path of what is wrong. What is read
// can be trained: its features have names, each its own, and the same JSON is read alike again.

#include <boost/json/parse.hpp>
#include <set>

#include <ktrdr/training/strategy.hpp>
#include <ktrdr/training/strategy_options.hpp>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

void check(const Strategy& strategy) {
    const boost::json::object summary = strategy.summary();
    const auto& features = summary.at("features").as_array();
    std::set<std::string_view> names;
    for (const auto& feature : features) {
        names.insert(feature.as_string());
    }
    require(!features.empty() && names.size() == features.size(), "each feature has a name of its own");
    require(!strategy.name.empty() && strategy.name.size() <= 64, "the name names a folder");
    require(strategy.options.epochs >= 1 && strategy.options.batch_size >= 1, "there is something to do");
    require(strategy.options.learning_rate > 0, "and a way to learn");
    for (const std::int64_t width : strategy.model.hidden_layers) {
        require(width >= 1 && width <= 65536, "layers have units");
    }
    const auto again = Strategy::parse(strategy.source);
    require(again.has_value() && again->summary() == summary, "it is read alike again");
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    boost::system::error_code error;
    const auto text = text_of(data, size);
    const boost::json::value json = boost::json::parse({text.data(), text.size()}, error);
    if (error || !json.is_object()) {
        return 0;
    }
    if (const auto strategy = Strategy::parse(json.get_object())) {
        check(*strategy);
    } else {
        require(strategy.error().code == Errc::strategy, "a refusal says what is wrong");
        require(strategy.error().context.contains("path"), "and where");
    }
    return 0;
}
