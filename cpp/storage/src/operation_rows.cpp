#include "operation_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/serialize.hpp>

#include <ktrdr/base/json.hpp>
#include <ktrdr/operations/event_kind.hpp>

namespace ktrdr {
namespace {

std::int64_t nanos(UtcTime time) {
    return time.time_since_epoch().count();
}

UtcTime time_of(std::int64_t nanos) {
    return UtcTime{std::chrono::nanoseconds{nanos}};
}

void bind_time(SQLite::Statement& row, int column, const std::optional<UtcTime>& time) {
    time ? row.bind(column, nanos(*time)) : row.bind(column);
}

std::optional<UtcTime> read_time(const SQLite::Column& column) {
    return column.isNull() ? std::nullopt : std::optional(time_of(column.getInt64()));
}

boost::json::value parse(const SQLite::Column& column) {
    return parse_json(column.getString());
}

std::string error_text(const Error& error) {
    return boost::json::serialize(
        boost::json::object{{"code", to_string(error.code)}, {"message", error.message}, {"context", error.context}});
}

Error error_from(const SQLite::Column& column) {
    const auto object = parse(column).as_object();
    return {errc_from(text_or_empty(object, "code")).value_or(Errc::internal),
            std::string(text_or_empty(object, "message")), object.at("context").as_object()};
}

std::string warnings_text(const std::vector<std::string>& warnings) {
    boost::json::array array(warnings.begin(), warnings.end());
    return boost::json::serialize(array);
}

std::vector<std::string> warnings_from(const SQLite::Column& column) {
    const auto array = parse(column).as_array();
    std::vector<std::string> warnings;
    for (const auto& warning : array) {
        warnings.emplace_back(warning.as_string());
    }
    return warnings;
}

}  // namespace

std::string reason_text(const CancelReason& reason) {
    return boost::json::serialize(
        boost::json::object{{"code", to_string(reason.code)}, {"text", reason.text}, {"origin", reason.origin}});
}

CancelReason reason_from(const std::string& text) {
    const auto object = parse_json(text).as_object();
    const auto code = cancel_code_from(text_or_empty(object, "code"));
    return {code ? *code : CancelCode::user, std::string(text_or_empty(object, "text")),
            std::string(text_or_empty(object, "origin"))};
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

OperationRecord read_record(SQLite::Statement& row) {
    OperationRecord record;
    record.id = row.getColumn(0).getString();
    record.type = row.getColumn(1).getString();
    record.name = row.getColumn(2).getString();
    record.parent_id = row.getColumn(3).getString();
    record.parameters = parse(row.getColumn(4)).as_object();
    record.status = status_from(row.getColumn(5).getString()).value_or(OperationStatus::failed);
    record.attempt = row.getColumn(6).getInt64();
    record.resumable = row.getColumn(7).getInt() != 0;
    record.durable = row.getColumn(8).getInt() != 0;
    record.owner = row.getColumn(9).getString();
    record.created = time_of(row.getColumn(10).getInt64());
    record.started = read_time(row.getColumn(11));
    record.cancel_requested = read_time(row.getColumn(12));
    record.cancel_observed = read_time(row.getColumn(13));
    record.stopped = read_time(row.getColumn(14));
    if (!row.getColumn(15).isNull()) {
        record.reason = std::make_shared<const CancelReason>(reason_from(row.getColumn(15).getString()));
    }
    record.progress = std::make_shared<const ProgressState>(progress_from_json(parse(row.getColumn(16)).as_object()));
    if (!row.getColumn(17).isNull()) {
        record.result = parse(row.getColumn(17));
    }
    if (!row.getColumn(18).isNull()) {
        record.error = std::make_shared<const Error>(error_from(row.getColumn(18)));
    }
    record.warnings = warnings_from(row.getColumn(19));
    record.last_seq = static_cast<std::uint64_t>(row.getColumn(20).getInt64());
    return record;
}

void bind_event(SQLite::Statement& row, const std::string& id, const OperationEvent& event) {
    row.bind(1, id);
    row.bind(2, static_cast<std::int64_t>(event.seq));
    row.bind(3, nanos(event.time));
    row.bind(4, std::string(to_string(event.kind)));
    row.bind(5, boost::json::serialize(event_data(event)));
}

Result<OperationEvent> read_event(SQLite::Statement& row, const std::string& id, const std::filesystem::path& file) {
    OperationEvent event;
    event.seq = static_cast<std::uint64_t>(row.getColumn(0).getInt64());
    event.time = time_of(row.getColumn(1).getInt64());
    const std::string kind = row.getColumn(2).getString();
    const auto known = event_kind_from(kind);
    if (!known) {
        return fail(
            Errc::storage,
            fmt::format("event {} of operation {} in {} is of kind {:?}, which is not one of {}: read it with the "
                        "version of ktrdr-core that wrote it, or delete this row of the table event",
                        event.seq, id, file.string(), kind, fmt::join(event_kind_names(), ", ")),
            {{"file", file.string()}, {"operation_id", id}, {"seq", event.seq}, {"kind", kind}});
    }
    event.kind = *known;
    event.data = parse(row.getColumn(3)).as_object();
    return event;
}

}  // namespace ktrdr
