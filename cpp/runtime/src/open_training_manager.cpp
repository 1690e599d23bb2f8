#include <ktrdr/runtime/open_training_manager.hpp>

namespace ktrdr {
namespace {

class StoredBars final : public BarProvider {
public:
    explicit StoredBars(std::shared_ptr<DataManager> data) : data_(std::move(data)) {}
    Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                         const CancellationToken& token) override {
        if (const auto alive = token.check("reading stored bars"); !alive) {
            return alive.error();
        }
        return data_->read(symbol, timeframe, range);
    }

    Result<std::vector<BarBreak>> breaks(const std::string& symbol, const Timeframe& timeframe,
                                         TimeRange range) override {
        const auto known = data_->breaks({symbol, std::string(timeframe.name()), {}});
        if (!known) {
            return known.error();
        }
        std::vector<BarBreak> inside;
        for (const BasisBreak& one : *known) {
            if (range.contains(one.at)) {
                inside.push_back({symbol, timeframe, one.at, one.ratio});
            }
        }
        return inside;
    }

    Result<std::vector<Hole>> holes(const std::string& symbol, const Timeframe& timeframe, const Bars& bars,
                                    std::optional<UtcTime> until) override {
        const auto grid = data_->grid_of({symbol, std::string(timeframe.name()), {}});
        if (!grid) {
            return grid.error();
        }
        return find_holes(bars, *grid, until);
    }

private:
    std::shared_ptr<DataManager> data_;
};

}  // namespace

Result<std::shared_ptr<TrainingManager>> open_training_manager(TrainingServices services, const HostServiceMeans& means,
                                                               const TrainingManagerOptions& options,
                                                               std::shared_ptr<DataManager> data, Env env) {
    auto service = open_host_service(means, TrainingManager::host_service(), env, options.host_service);
    if (!service) {
        return service.error();
    }
    TrainingManagerParts parts;
    parts.models_dir = options.models_dir;
    parts.service = std::move(*service);
    parts.operations = data->operations();
    parts.bars = std::make_shared<StoredBars>(std::move(data));
    return TrainingManager::create(services, std::move(parts), std::move(env));
}

}  // namespace ktrdr
