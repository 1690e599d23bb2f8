// What rows cost: features, labels, splits and all of a training's data. Arguments: a strategy's JSON, closes as
// doubles in a file, rounds. Prints one line a figure: a name, a tab, milliseconds (the median).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <ktrdr/base/json.hpp>
#include <ktrdr/features/folds.hpp>
#include <ktrdr/training/training_data.hpp>

namespace {

using namespace ktrdr;

std::string content_of(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

BarsPtr bars_of(const std::string& closes) {
    Bars bars;
    const std::size_t count = closes.size() / sizeof(double);
    std::vector<double> values(count);
    std::copy_n(closes.data(), count * sizeof(double), reinterpret_cast<char*>(values.data()));
    for (std::size_t bar = 0; bar < count; ++bar) {
        const double close = values[bar];
        bars.push_back(static_cast<std::int64_t>(bar) * 60'000'000'000, close, close + 1, close - 1, close, 1000);
    }
    return std::make_shared<const Bars>(std::move(bars));
}

class Held final : public BarProvider {
public:
    explicit Held(BarsPtr bars) : bars_(std::move(bars)) {}
    Result<BarsPtr> bars(const std::string&, const Timeframe&, TimeRange, const CancellationToken&) override {
        return bars_;
    }

private:
    BarsPtr bars_;
};

template <class Work>
void measure(const char* name, int rounds, Work work) {
    std::vector<double> spent;
    for (int round = 0; round < rounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        spent.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::ranges::sort(spent);
    std::printf("%s\t%f\n", name, spent[spent.size() / 2]);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) {
        return 2;
    }
    TrainingRequest request;
    request.strategy = parse_json(content_of(arguments[1])).as_object();
    request.symbols = {"BENCH"};
    request.timeframes = {"1m"};
    const TrainingOperationContext context = build_training_context(request).value();
    const BarsPtr bars = bars_of(content_of(arguments[2]));
    const int rounds = std::atoi(arguments[3]);
    const BarGrid grid(context.base_timeframe());
    const std::vector<FeatureSeries> series{{grid, bars, find_holes(*bars, grid)}};
    std::size_t sum = 0;
    measure("feature matrix", rounds,
            [&] { sum += build_features(context.strategy.features, series, 0).value().bar.size(); });
    std::vector<UtcTime> starts;
    for (std::size_t bar = 0; bar < bars->size(); ++bar) {
        starts.push_back(bars->start_of(bar));
    }
    for (const LabelSource source : {LabelSource::forward_return, LabelSource::zigzag, LabelSource::triple_barrier}) {
        LabelRule rule = context.strategy.labels;
        rule.source = source;
        const std::string name(label_source_names[static_cast<std::size_t>(source)]);
        measure(("label and split, " + name).c_str(), rounds, [&] {
            const Labels labels = make_labels(*bars, grid, rule).value();
            sum += split_in_time({starts, labels.ends}, {}).train.size();
        });
    }
    const Labels labels = make_labels(*bars, grid, context.strategy.labels).value();
    measure("one of five purged folds", rounds, [&] { sum += purged_fold({starts, labels.ends}, 5, 2)->train.size(); });
    Held provider(bars);
    measure("all data of a training", rounds, [&] {
        const auto data = prepare_training_data(context, provider, {}, [](std::size_t, std::size_t) {});
        sum += data.value()->rows.train.rows;
    });
    return sum == 0 ? 1 : 0;
}
