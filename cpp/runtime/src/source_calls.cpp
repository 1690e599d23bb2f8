#include <ktrdr/runtime/source_calls.hpp>

#include <fmt/format.h>

#include <ktrdr/market/time_text.hpp>

#include "reply.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

asio::awaitable<Result<json::value>> contract_of(BarSource* source, std::string symbol, Timeframe timeframe,
                                                 SourceCall call) {
    const auto contract = co_await source->validate_symbol(std::move(symbol), timeframe, std::move(call));
    if (!contract) {
        co_return contract.error();
    }
    co_return json::value{
        {"asset_class", contract->asset_class}, {"exchange", contract->exchange}, {"currency", contract->currency}};
}

asio::awaitable<Result<json::value>> first_of(BarSource* source, std::string symbol, Timeframe timeframe,
                                              SourceCall call) {
    const auto first = co_await source->first_timestamp(std::move(symbol), timeframe, std::move(call));
    if (!first) {
        co_return first.error();
    }
    co_return *first ? json::value((*first)->time_since_epoch().count()) : json::value();
}

asio::awaitable<Result<std::shared_ptr<SourceReply>>> bars_of(BarSource* source, std::string symbol,
                                                              Timeframe timeframe, TimeRange range, SourceCall call) {
    auto answer = co_await source->fetch(symbol, timeframe, range, std::move(call));
    if (!answer) {
        co_return answer.error();
    }
    auto bars = std::make_shared<const Bars>(std::move(answer->bars));
    co_return std::make_shared<SourceReply>(
        SourceReply{BarsView(std::move(bars), std::move(symbol), std::string(timeframe.name())),
                    std::move(answer->partial), std::move(answer->dropped)});
}

}  // namespace

CancellationToken SourceCalls::validate_symbol(std::string symbol, const Timeframe& timeframe,
                                               const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                               std::uint64_t key) {
    CancellationToken token = runtime_.make_token(parent);
    reply_with(source_, {runtime_, std::move(mailbox), key},
               [symbol = std::move(symbol), timeframe, token](BarSource& source) mutable {
                   return contract_of(&source, std::move(symbol), timeframe, {.token = std::move(token)});
               });
    return token;
}

CancellationToken SourceCalls::first_timestamp(std::string symbol, const Timeframe& timeframe,
                                               const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                               std::uint64_t key) {
    CancellationToken token = runtime_.make_token(parent);
    reply_with(source_, {runtime_, std::move(mailbox), key},
               [symbol = std::move(symbol), timeframe, token](BarSource& source) mutable {
                   return first_of(&source, std::move(symbol), timeframe, {.token = std::move(token)});
               });
    return token;
}

CancellationToken SourceCalls::fetch(std::string symbol, const Timeframe& timeframe, TimeRange range,
                                     const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                     std::uint64_t key) {
    if (range.empty()) {
        throw ErrorException(
            fail(Errc::invalid_argument,
                 fmt::format("start {} is not before end {}", format_time(range.start), format_time(range.end)),
                 {{"field", "start"}}));
    }
    CancellationToken token = runtime_.make_token(parent);
    reply_with(source_, {runtime_, std::move(mailbox), key},
               [symbol = std::move(symbol), timeframe, range, token](BarSource& source) mutable {
                   return bars_of(&source, std::move(symbol), timeframe, range, {.token = std::move(token)});
               });
    return token;
}

}  // namespace ktrdr
