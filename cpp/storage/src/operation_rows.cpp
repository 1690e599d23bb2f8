#include "operation_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/serialize.hpp>

#include <limits>

#include <ktrdr/base/text.hpp>
#include <ktrdr/base/ids.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/operations/event_kind.hpp>

namespace ktrdr {
namespace {

std::int64_t nanos(UtcTime time) {
    return time.time_since_epoch().count();
}

void bind_time(SQLite::Statement& row, int column, const std::optional<UtcTime>& time) {
    time ? row.bind(column, nanos(*time)) : row.bind(column);
}

std::string error_text(const Error& error) {
    return boost::json::serialize(
        boost::json::object{{"code", to_string(error.code)}, {"message", error.message}, {"context", error.context}});
}

std::string warnings_text(const std::vector<std::string>& warnings) {
    boost::json::array array(warnings.begin(), warnings.end());
    return boost::json::serialize(array);
}

/// A value from the file in a message: its beginning, with odd characters escaped.
std::string shown_value(std::string_view value) {
    constexpr std::size_t most = 60;
    return fmt::format("{:?}{}", value.substr(0, most), value.size() > most ? "…" : "");
}

/// Reads the columns of one row as input from elsewhere, and notes what cannot be what was written.
class RowReader final {
public:
    explicit RowReader(SQLite::Statement& row) : row_(row) {}

    void damaged(int column, std::string_view why) {
        damage_.push_back(fmt::format("{}: {}", row_.getColumn(column).getName(), why));
    }
    [[nodiscard]] bool is_null(int column) { return row_.getColumn(column).isNull(); }

    std::string text(int column) {
        const SQLite::Column value = row_.getColumn(column);
        std::string found = value.getString();
        if (!value.isText() || !is_utf8(found)) {
            damaged(column, fmt::format("{} is no text", shown_value(found)));
            return shown_utf8(found);
        }
        return found;
    }
    std::string id(int column) {
        const std::string found = row_.getColumn(column).getString();
        if (!check_id("id", found)) {
            damaged(column, fmt::format("{} is none", shown_value(found)));
        }
        return shown_id(found);
    }
    std::int64_t number(int column, std::int64_t least, std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
        const SQLite::Column value = row_.getColumn(column);
        const std::int64_t found = value.getInt64();
        if (value.isInteger() && found >= least && found <= most) {
            return found;
        }
        damaged(column, value.isInteger() ? fmt::format("{} is out of its range", found)
                                          : fmt::format("{} is no number", shown_value(value.getString())));
        return least;
    }
    UtcTime time(int column) {
        constexpr std::int64_t any = std::numeric_limits<std::int64_t>::min();
        const std::int64_t found = number(column, any);
        return UtcTime{std::chrono::nanoseconds{found == any ? 0 : found}};
    }
    std::optional<UtcTime> maybe_time(int column) {
        return is_null(column) ? std::nullopt : std::optional(time(column));
    }
    std::optional<boost::json::value> json(int column) {
        const std::string found = text(column);
        boost::system::error_code error;
        auto value = parse_json(found, error);
        if (error) {
            damaged(column, fmt::format("{} is no JSON ({})", shown_value(found), error.message()));
            return std::nullopt;
        }
        return value;
    }
    std::optional<boost::json::object> object(int column) {
        auto value = json(column);
        if (value && !value->is_object()) {
            damaged(column, fmt::format("{} is no JSON object", shown_value(text(column))));
            return std::nullopt;
        }
        return value ? std::optional(std::move(value->get_object())) : std::nullopt;
    }
    [[nodiscard]] std::vector<std::string>& damage() { return damage_; }

private:
    SQLite::Statement& row_;
    std::vector<std::string> damage_{};
};

std::shared_ptr<const Error> read_error(RowReader& row, int column) {
    const auto object = row.object(column);
    if (!object) {
        return nullptr;
    }
    const auto code = errc_from(text_or_empty(*object, "code"));
    const auto* const message = object->if_contains("message");
    const auto* const context = object->if_contains("context");
    if (!code || message == nullptr || !message->is_string() || context == nullptr || !context->is_object()) {
        row.damaged(column, fmt::format("{} has no code that is known, no message or no context",
                                        shown_value(boost::json::serialize(*object))));
        return nullptr;
    }
    return std::make_shared<const Error>(Error{*code, std::string(message->get_string()), context->get_object()});
}

std::shared_ptr<const CancelReason> read_reason(RowReader& row, int column) {
    auto reason = reason_from(row.text(column));
    if (!reason) {
        row.damaged(column, reason.error().message);
        return nullptr;
    }
    return std::make_shared<const CancelReason>(std::move(reason).value());
}

std::shared_ptr<const ProgressState> read_progress(RowReader& row, int column) {
    return std::make_shared<const ProgressState>(
        progress_from_json(row.object(column).value_or(boost::json::object{})));
}

std::vector<std::string> read_warnings(RowReader& row, int column) {
    std::vector<std::string> warnings;
    const auto value = row.json(column);
    const auto* const array = value ? value->if_array() : nullptr;
    if (value && array == nullptr) {
        row.damaged(column, "it is no JSON array");
    }
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
        if (const auto* const text = (*array)[i].if_string()) {
            warnings.emplace_back(*text);
        } else {
            row.damaged(column, fmt::format("number {} is no text", i + 1));
        }
    }
    return warnings;
}

/// Say of a record what could not be read. `decides`: how it ended is part of it.
void tell_damage(OperationRecord& record, std::vector<std::string> damage, bool decides,
                 const std::filesystem::path& file) {
    record.damage = std::move(damage);
    if (record.damage.empty()) {
        return;
    }
    std::string message = fmt::format(
        "the record of operation {} in {} is damaged ({}); restore the file from a copy, or forget the operation; "
        "`ktrdr-core operations verify` lists what else is",
        record.id, file.string(), fmt::join(record.damage, "; "));
    if (decides) {
        record.error = std::make_shared<const Error>(
            fail(Errc::storage, message, {{"operation_id", record.id}, {"file", file.string()}}));
        record.result.reset();
    }
    record.warnings.push_back(std::move(message));
}

}  // namespace

std::int64_t as_number(std::size_t value) noexcept {
    return static_cast<std::int64_t>(std::min<std::size_t>(value, std::numeric_limits<std::int64_t>::max()));
}

std::string reason_text(const CancelReason& reason) {
    return boost::json::serialize(
        boost::json::object{{"code", to_string(reason.code)}, {"text", reason.text}, {"origin", reason.origin}});
}

Result<CancelReason> reason_from(const std::string& text) {
    boost::system::error_code error;
    const auto value = parse_json(text, error);
    if (error || !value.is_object()) {
        return fail(Errc::storage, fmt::format("{} is no reason of a cancel", shown_value(text)));
    }
    const auto& object = value.get_object();
    for (const char* const key : {"code", "text", "origin"}) {
        if (const auto* const found = object.if_contains(key); found == nullptr || !found->is_string()) {
            return fail(Errc::storage,
                        fmt::format("{} is no reason of a cancel: it has no {}", shown_value(text), key));
        }
    }
    const auto code = cancel_code_from(text_or_empty(object, "code"));
    if (!code) {
        return fail(Errc::storage,
                    fmt::format("{} is no reason of a cancel: {}", shown_value(text), code.error().message));
    }
    return CancelReason{*code, std::string(text_or_empty(object, "text")),
                        std::string(text_or_empty(object, "origin"))};
}

std::string shown_id(const std::string& id) {
    if (check_id("id", id)) {
        return id;
    }
    constexpr std::size_t most = 128;
    const std::string escaped = fmt::format("{:?}", std::string_view(id).substr(0, most));
    return escaped.substr(1, escaped.size() - 2);
}

void bind_record(SQLite::Statement& row, const OperationRecord& record) {
    row.bind(1, record.id);
    row.bind(2, record.type);
    row.bind(3, record.name);
    row.bind(4, record.parent_id);
    row.bind(5, boost::json::serialize(record.parameters));
    row.bind(6, std::string(to_string(record.status)));
    row.bind(7, record.attempt);
    row.bind(8, record.resumable ? 1 : 0);
    row.bind(9, record.durable ? 1 : 0);
    row.bind(10, record.owner);
    row.bind(11, nanos(record.created));
    bind_time(row, 12, record.started);
    bind_time(row, 13, record.cancel_requested);
    bind_time(row, 14, record.cancel_observed);
    bind_time(row, 15, record.stopped);
    record.reason ? row.bind(16, reason_text(*record.reason)) : row.bind(16);
    row.bind(17, boost::json::serialize(to_json(record.progress ? *record.progress : ProgressState{})));
    record.result ? row.bind(18, boost::json::serialize(*record.result)) : row.bind(18);
    record.error ? row.bind(19, error_text(*record.error)) : row.bind(19);
    row.bind(20, warnings_text(record.warnings));
    row.bind(21, static_cast<std::int64_t>(record.last_seq));
}

OperationRecord read_record(SQLite::Statement& statement, const std::filesystem::path& file) {
    RowReader row(statement);
    OperationRecord record;
    record.id = row.id(0);
    record.type = row.id(1);
    record.name = row.text(2);
    record.parent_id = row.text(3);
    record.parameters = row.object(4).value_or(boost::json::object{});
    record.attempt = row.number(6, 1);
    record.resumable = row.number(7, 0, 1) != 0;
    record.durable = row.number(8, 0, 1) != 0;
    record.owner = row.text(9);
    record.created = row.time(10);
    record.started = row.maybe_time(11);
    record.cancel_requested = row.maybe_time(12);
    record.cancel_observed = row.maybe_time(13);
    record.stopped = row.maybe_time(14);
    if (!row.is_null(15)) {
        record.reason = read_reason(row, 15);
    }
    record.progress = read_progress(row, 16);
    record.warnings = read_warnings(row, 19);
    record.last_seq = static_cast<std::uint64_t>(row.number(20, 0));
    // How it ended is read last: without it there is nothing to tell but the damage.
    const std::size_t before = row.damage().size();
    const std::string status = row.text(5);
    if (const auto known = status_from(status)) {
        record.status = *known;
    } else {
        record.status = OperationStatus::failed;
        row.damaged(5, fmt::format("{} is not known", shown_value(status)));
    }
    if (!row.is_null(17)) {
        record.result = row.json(17);
    }
    if (!row.is_null(18)) {
        record.error = read_error(row, 18);
    }
    const bool decides = row.damage().size() > before;
    if (decides && is_terminal(record.status)) {
        record.status = OperationStatus::failed;
    }
    tell_damage(record, std::move(row.damage()), decides, file);
    return record;
}

void bind_event(SQLite::Statement& row, const std::string& id, const OperationEvent& event) {
    row.bind(1, id);
    row.bind(2, static_cast<std::int64_t>(event.seq));
    row.bind(3, nanos(event.time));
    row.bind(4, std::string(to_string(event.kind)));
    row.bind(5, boost::json::serialize(event_data(event)));
}

OperationEvent read_event(SQLite::Statement& statement, const std::string& id, const std::filesystem::path& file) {
    RowReader row(statement);
    OperationEvent event;
    event.seq = static_cast<std::uint64_t>(row.number(0, 0));
    event.time = row.time(1);
    const std::string kind = row.text(2);
    const auto known = event_kind_from(kind);
    if (!known) {
        row.damaged(2, fmt::format("{} is not one of {}", shown_value(kind), fmt::join(event_kind_names(), ", ")));
    }
    event.kind = known.value_or(OperationEventKind::warning);
    event.data = row.object(3).value_or(boost::json::object{});
    if (!row.damage().empty()) {
        event.kind = OperationEventKind::warning;
        event.data = {{"message", fmt::format("event {} of operation {} in {} is damaged ({})", event.seq, shown_id(id),
                                              file.string(), fmt::join(row.damage(), "; "))},
                      {"damaged", true}};
    }
    return event;
}

bool is_damaged(const OperationEvent& event) {
    const auto* const told = event.data.if_contains("damaged");
    return event.kind == OperationEventKind::warning && told != nullptr && told->is_bool() && told->get_bool();
}

}  // namespace ktrdr
