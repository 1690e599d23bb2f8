// By which keys series go.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <ktrdr/bar_store/bar_store.hpp>

#include "series_rows.hpp"

namespace ktrdr {
namespace {

bool may_be(std::string_view one, std::string_view other) {
    return one.empty() || other.empty() || one == other;
}

bool like_stock(std::string_view asset_class) {
    return asset_class == "stock" || asset_class == "etf";
}

}  // namespace

std::string to_string(const SeriesKey& key) {
    std::string text =
        fmt::format("{} {} {} {} {}", key.provider, key.symbol, key.timeframe.name(), key.what_to_show, key.session);
    for (const std::string* const part : {&key.asset_class, &key.exchange, &key.currency}) {
        if (!part->empty()) {
            text += " " + *part;
        }
    }
    return text;
}

bool may_be_same_class(std::string_view one, std::string_view other) noexcept {
    return may_be(one, other) || (like_stock(one) && like_stock(other));
}

bool fits(const SeriesKey& key, const Contract& contract) noexcept {
    return may_be_same_class(key.asset_class, contract.asset_class) && may_be(key.currency, contract.currency);
}

Result<KnownSeries> BarStore::known(const std::string& provider, const std::string& symbol,
                                    const Timeframe& timeframe) {
    KnownSeries known;
    const auto name = fmt::format("read {} {}", symbol, timeframe.name());
    const auto done = database_->read(name, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement row(
            connection, fmt::format("SELECT {} FROM series WHERE provider = ? AND symbol = ? AND timeframe = ? AND "
                                    "(EXISTS(SELECT 1 FROM block WHERE series = series.id) OR "
                                    "EXISTS(SELECT 1 FROM chunk WHERE series = series.id)) ORDER BY id",
                                    series_columns));
        row.bind(1, provider);
        row.bind(2, symbol);
        row.bind(3, std::string(timeframe.name()));
        while (row.executeStep()) {
            auto key = key_of(row);
            if (!key) {
                return key.error();
            }
            known.stored.push_back(std::move(*key));
        }
        SQLite::Statement said(connection,
                               "SELECT asset_class, exchange, currency FROM symbol_check WHERE provider = ? AND "
                               "symbol = ? ORDER BY checked_at DESC");
        said.bind(1, provider);
        said.bind(2, symbol);
        while (said.executeStep()) {
            known.contracts.push_back(
                {said.getColumn(0).getString(), said.getColumn(1).getString(), said.getColumn(2).getString()});
        }
        return {};
    });
    return done ? Result<KnownSeries>(std::move(known)) : Result<KnownSeries>(done.error());
}

Result<void> BarStore::rename(const SeriesKey& key, const SeriesKey& to) {
    return database_->write(fmt::format("name {}", to_string(to)), [&](SQLite::Database& connection) -> Result<void> {
        const auto series = find_series(connection, key);
        if (!series || find_series(connection, to)) {
            return {};
        }
        SQLite::Statement named(connection,
                                "UPDATE series SET what_to_show = ?, session = ?, asset_class = ?, exchange = ?, "
                                "currency = ? WHERE id = ?");
        named.bind(1, to.what_to_show);
        named.bind(2, to.session);
        named.bind(3, to.asset_class);
        named.bind(4, to.exchange);
        named.bind(5, to.currency);
        named.bind(6, *series);
        named.exec();
        return {};
    });
}

}  // namespace ktrdr
