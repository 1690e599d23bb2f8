#include "random_walk_baseline.hpp"

#include <chrono>
#include <cmath>

#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/judgement.hpp>
#include <ktrdr/training/training_data.hpp>
#include <ktrdr/training/training_result.hpp>

#include "random_walk_bars.hpp"
#include "trainer_input.hpp"

namespace ktrdr {
namespace {

/// Its epochs are a part of the real training's evaluation.
class WalkEvents final : public TrainerEvents {
public:
    explicit WalkEvents(TrainingProgressBridge& bridge) : bridge_(bridge) { bridge_.on_random_walk(0); }
    void on_batch(std::int64_t, std::int64_t, std::int64_t, double) override {}
    void on_epoch(const EpochReport& report) override { bridge_.on_random_walk(report.epoch); }
    void on_evaluation() override {}

private:
    TrainingProgressBridge& bridge_;
};

boost::json::object without_figures(boost::json::value reason) {
    return {{"test_accuracy", nullptr}, {"class_prior", nullptr},      {"gain_over_prior", nullptr}, {"rows", nullptr},
            {"seconds", nullptr},       {"reason", std::move(reason)}, {"outcomes", nullptr}};
}

Result<SharedTrainingData::Data> walked_rows(const TrainingOperationContext& context,
                                             const std::shared_ptr<BarProvider>& bars, const CancellationToken& token) {
    RandomWalkBars walk(bars);
    for (const std::string& symbol : context.symbols) {
        // The steps are those of the bars that are rows.
        if (auto first = bars_of(context, walk, symbol, context.base_timeframe(), token); !first) {
            return first.error();
        }
    }
    return prepare_training_data(context, walk, token, [](std::size_t, std::size_t) {});
}

Result<boost::json::object> measured(const TrainingOperationContext& context, const std::shared_ptr<BarProvider>& bars,
                                     SharedTrainingData& shared, Trainer& trainer, const CancellationToken& token,
                                     TrainingProgressBridge& bridge) {
    const auto begun = std::chrono::steady_clock::now();
    // The same bars give the same walk; where theirs are kept, it is.
    const auto key = [&] {
        auto real = data_key_of(context, *bars);
        return real ? std::optional(*real + "\na random walk") : std::nullopt;
    };
    const auto data = shared.get(key, [&] { return walked_rows(context, bars, token); }, token, [] {});
    if (!data) {
        return data.error();
    }
    WalkEvents events(bridge);
    const TrainerInput input = make_input(context, *data);
    const auto model = trainer.train(input, events, token);
    if (!model) {
        return model.error();
    }
    const auto network = Mlp::make(model->parameters, input.model.activation);
    if (!network) {
        return network.error();
    }
    const auto found = evaluate(*network, input.rows->test, token);
    if (!found) {
        return found.error();
    }
    const auto& train = input.rows->train.labels;
    const auto& test = input.rows->test.labels;
    const auto tested = tested_window(context, **data, found->predicted, token);
    if (!tested) {
        return tested.error();
    }
    const auto sure = confidence_of(tested->outcomes, tested->horizon, token);
    if (!sure) {
        return sure.error();
    }
    const Interval gain = sure->gain;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    boost::json::object figures{{"test_accuracy", classification_figures(found->confusion).accuracy},
                                {"class_prior", class_prior(train, test)},
                                {"gain_over_prior", std::isfinite(gain.low) ? boost::json::value{gain.low, gain.high}
                                                                            : boost::json::value(nullptr)},
                                {"rows", input.rows->test.rows},
                                {"seconds", took.count()},
                                {"reason", nullptr}};
    figures["outcomes"] = context.test_from ? boost::json::value(to_json(*tested)) : boost::json::value(nullptr);
    return figures;
}

}  // namespace

Result<boost::json::object> random_walk_baseline(const TrainingOperationContext& context,
                                                 const std::shared_ptr<BarProvider>& bars, SharedTrainingData& shared,
                                                 Trainer& trainer, const CancellationToken& token,
                                                 TrainingProgressBridge& bridge) {
    auto found = measured(context, bars, shared, trainer, token, bridge);
    if (found || is_stop(found.error().code)) {
        return found;
    }
    return without_figures(boost::json::value(found.error().message));
}

boost::json::object no_random_walk_baseline() {
    return without_figures("left out: random_walk_baseline=False");
}

}  // namespace ktrdr
