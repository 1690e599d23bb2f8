#pragma once

#include <memory>

#include <ktrdr/adapter/async_service_adapter.hpp>
#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/coroutines/turnstile.hpp>

namespace ktrdr {

/// Bars of Interactive Brokers, through the IB host service.
///
/// A service of ours says in its answers what its source warned of, and to who asks, every 2 s, what it warns of while
/// an answer takes long: whoever waits is told (`SourceCall::warn`). One that knows the contract alone is asked that
/// once.
class KTRDR_EXPORT IbDataAdapter final : public BarSource {
public:
    /// How a person gets a service, for messages.
    static constexpr const char* start_hint =
        "start one with `python -m ktrdr_core.hosts.ib --port {port}`, or name another with ib_url= or "
        "IB_HOST_SERVICE_URL";
    static constexpr const char* provider_name = "IB";

    /// Who the service is, for the adapter of its calls.
    [[nodiscard]] static ServiceIdentity identity();

    /// As many requests are under way as there are connections; more wait their turn, as long as it takes. Bars are
    /// decoded on `compute`; it and `clock` must outlive the adapter.
    IbDataAdapter(std::shared_ptr<AsyncServiceAdapter> service, Executor& compute, const Clock& clock);

    [[nodiscard]] std::string provider() const override { return provider_name; }
    [[nodiscard]] SourceLimits describe(const Timeframe& timeframe) const override;
    /// Any: the service is told what is wanted, and has to say what it brought.
    [[nodiscard]] Result<void> check_kind(const SeriesKind&) const override { return {}; }
    [[nodiscard]] boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol, Timeframe timeframe,
                                                                           SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string symbol,
                                                                                         Timeframe timeframe,
                                                                                         SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe timeframe,
                                                                     TimeRange segment, SourceCall call) override;
    [[nodiscard]] std::shared_ptr<AsyncServiceAdapter> service() const override { return service_; }

private:
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> get(std::string endpoint, SourceCall call);
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> post(std::string endpoint, boost::json::value body,
                                                                          SourceCall call);
    /// As an Arrow stream, if the service has that, else as JSON.
    [[nodiscard]] boost::asio::awaitable<Result<Response>> post_for_bars(boost::json::value body, SourceCall call);
    /// Wait for an answer, and meanwhile tell whoever else does what the service warns of.
    template <class Answer>
    [[nodiscard]] boost::asio::awaitable<Result<Answer>> heard(boost::asio::awaitable<Result<Answer>> asking,
                                                               SourceCall call);
    /// Ask for warnings until the token is cancelled.
    [[nodiscard]] boost::asio::awaitable<void> listen(SourceCall call, CancellationToken until);

    const std::shared_ptr<AsyncServiceAdapter> service_;
    Turnstile turns_;
    Executor& compute_;
    const Clock& clock_;
    /// Not known to be a service without warnings.
    bool may_warn_{true};
};

}  // namespace ktrdr
