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

SourceCalls::Asked SourceCalls::asked(SeriesRequest series, const CancellationToken& parent) {
    const auto words = check_words(series.series);
    const auto timeframe = Timeframe::parse(series.timeframe);
    const auto refused = [](const Error& error) { return ErrorException(error); };
    if (!words || !timeframe) {
        throw refused(words ? timeframe.error() : words.error());
    }
    const SeriesKind kind = kind_of(series.series);
    if (const auto has = source_->check_kind(kind); !has) {
        throw refused(has.error());
    }
    return {std::move(series.symbol), *timeframe, {.token = runtime_.make_token(parent), .kind = kind}};
}

template <class Work>
CancellationToken SourceCalls::ask(SeriesRequest series, const CancellationToken& parent,
                                   std::shared_ptr<Mailbox> mailbox, std::uint64_t key, Work work) {
    Asked one = asked(std::move(series), parent);
    CancellationToken token = one.call.token;
    one.call.warn = [mailbox, key](const std::string& text) {
        Mail mail = reply_mail(key, Result<json::value>(json::value(json::string_view(text))));
        mail.kind = Mail::Kind::part;
        mailbox->post(std::move(mail));
    };
    reply_with(source_, {runtime_, std::move(mailbox), key},
               [one = std::move(one), work](BarSource& source) mutable { return work(&source, std::move(one)); });
    return token;
}

CancellationToken SourceCalls::validate_symbol(SeriesRequest series, const CancellationToken& parent,
                                               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    return ask(std::move(series), parent, std::move(mailbox), key, [](BarSource* source, Asked one) {
        return contract_of(source, std::move(one.symbol), one.timeframe, std::move(one.call));
    });
}

CancellationToken SourceCalls::first_timestamp(SeriesRequest series, const CancellationToken& parent,
                                               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    return ask(std::move(series), parent, std::move(mailbox), key, [](BarSource* source, Asked one) {
        return first_of(source, std::move(one.symbol), one.timeframe, std::move(one.call));
    });
}

CancellationToken SourceCalls::fetch(SeriesRequest series, TimeRange range, const CancellationToken& parent,
                                     std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    if (range.empty()) {
        throw ErrorException(
            fail(Errc::invalid_argument,
                 fmt::format("start {} is not before end {}", format_time(range.start), format_time(range.end)),
                 {{"field", "start"}}));
    }
    return ask(std::move(series), parent, std::move(mailbox), key, [range](BarSource* source, Asked one) {
        return bars_of(source, std::move(one.symbol), one.timeframe, range, std::move(one.call));
    });
}

}  // namespace ktrdr
