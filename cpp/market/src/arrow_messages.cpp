// How messages and their descriptions lie is Arrow's specification: https://arrow.apache.org/docs/format/Columnar.html

#include "arrow_messages.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include <ktrdr/base/result.hpp>

#include "flat_table.hpp"

namespace ktrdr {
namespace {

// The fields of the tables that are read, by their numbers.
namespace message {
constexpr std::size_t version = 0;
constexpr std::size_t header_type = 1;
constexpr std::size_t header = 2;
constexpr std::size_t body_length = 3;
}  // namespace message
namespace schema_table {
constexpr std::size_t endianness = 0;
constexpr std::size_t fields = 1;
}  // namespace schema_table
namespace field_table {
constexpr std::size_t name = 0;
constexpr std::size_t type_type = 2;
constexpr std::size_t type = 3;
constexpr std::size_t dictionary = 4;
constexpr std::size_t children = 5;
}  // namespace field_table
namespace batch_table {
constexpr std::size_t length = 0;
constexpr std::size_t nodes = 1;
constexpr std::size_t buffers = 2;
constexpr std::size_t compression = 3;
}  // namespace batch_table

constexpr std::uint8_t is_schema = 1;
constexpr std::uint8_t is_dictionary = 2;
constexpr std::uint8_t is_batch = 3;
/// Metadata of Arrow 0.8 and of 1.0 on; between streams of flat columns they differ in nothing.
constexpr std::int16_t version_4 = 3;
constexpr std::int16_t version_5 = 4;
/// Few bytes can describe one column a million times.
constexpr std::size_t most_columns = 1000;
/// A node and a buffer of a batch are two numbers of 64 bits each.
constexpr std::size_t pair_size = 2 * sizeof(std::int64_t);

struct Type {
    std::string format{};
    std::size_t buffers{2};
};

/// Arrow's numbers of its types. What is missing is nested, or lies otherwise.
enum class TypeId : std::uint8_t {
    null = 1,
    integer = 2,
    floating_point = 3,
    binary = 4,
    utf8 = 5,
    boolean = 6,
    decimal = 7,
    date = 8,
    time = 9,
    timestamp = 10,
    interval = 11,
    fixed_size_binary = 15,
    duration = 18,
    large_binary = 19,
    large_utf8 = 20
};

std::string integer_format(const FlatTable& type) {
    const auto bits = type.number<std::int32_t>(0, 0);
    const bool is_signed = type.number<std::uint8_t>(1, 0) != 0;
    switch (bits) {
        case 8: return is_signed ? "c" : "C";
        case 16: return is_signed ? "s" : "S";
        case 32: return is_signed ? "i" : "I";
        case 64: return is_signed ? "l" : "L";
        default: return fmt::format("integer of {} bits", bits);
    }
}

std::string float_format(const FlatTable& type) {
    switch (type.number<std::int16_t>(0, 0)) {
        case 1: return "f";
        case 2: return "g";
        default: return "e";
    }
}

std::string timestamp_format(const FlatTable& type) {
    constexpr std::string_view units = "smun";
    const auto unit = static_cast<std::size_t>(type.number<std::int16_t>(0, 0));
    return fmt::format("ts{}:{}", unit < units.size() ? units[unit] : '?', type.text(1).substr(0, 64));
}

/// How a column lies; nothing for one that has parts of its own.
std::optional<Type> type_of(TypeId id, const FlatTable& type) {
    switch (id) {
        case TypeId::null: return Type{"n", 0};
        case TypeId::integer: return Type{integer_format(type)};
        case TypeId::floating_point: return Type{float_format(type)};
        case TypeId::boolean: return Type{"b"};
        case TypeId::timestamp: return Type{timestamp_format(type)};
        case TypeId::date: return Type{type.number<std::int16_t>(0, 1) == 0 ? "tdD" : "tdm"};
        case TypeId::time: return Type{"tt"};
        case TypeId::duration: return Type{"tD"};
        case TypeId::interval: return Type{"ti"};
        case TypeId::decimal: return Type{"d"};
        case TypeId::fixed_size_binary: return Type{"w"};
        case TypeId::binary: return Type{"z", 3};
        case TypeId::large_binary: return Type{"Z", 3};
        case TypeId::utf8: return Type{"u", 3};
        case TypeId::large_utf8: return Type{"U", 3};
    }
    return std::nullopt;
}

ArrowField field_of(const FlatTable& field) {
    const std::string name(field.text(field_table::name).substr(0, 128));
    if (field.table(field_table::dictionary)) {
        refuse_stream(fmt::format("column {} is in a dictionary: write its values themselves", name));
    }
    const auto id = field.number<std::uint8_t>(field_table::type_type, 0);
    const auto described = field.table(field_table::type);
    const auto type = described ? type_of(static_cast<TypeId>(id), *described) : std::nullopt;
    if (!type || field.list(field_table::children, sizeof(std::uint32_t)).size > 0) {
        refuse_stream(
            fmt::format("column {} is nested, or of Arrow's type number {}: write columns of plain values", name, id));
    }
    return {name, type->format, type->buffers};
}

/// The part of a body that a buffer says it is.
std::string_view part_of(std::string_view body, std::int64_t offset, std::int64_t length) {
    const auto size = static_cast<std::int64_t>(body.size());
    if (offset < 0 || length < 0 || offset > size || length > size - offset) {
        refuse_stream(fmt::format("a buffer of {} bytes from byte {} on lies outside of its batch, which has {}",
                                  length, offset, size));
    }
    return body.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

void refuse_compressed(const FlatTable& batch) {
    if (const auto compression = batch.table(batch_table::compression)) {
        const auto codec = compression->number<std::int8_t>(0, 0);
        refuse_stream(fmt::format("its batches are compressed ({}): write them plain",
                                  codec == 0   ? "LZ4"
                                  : codec == 1 ? "ZSTD"
                                               : fmt::format("codec {}", codec)));
    }
}

/// Where each column's buffers lie in the body of a batch.
std::vector<ArrowColumn> columns_of(const FlatTable& header, std::string_view body,
                                    const std::vector<ArrowField>& fields, std::int64_t rows) {
    const auto nodes = header.list(batch_table::nodes, pair_size);
    const auto buffers = header.list(batch_table::buffers, pair_size);
    std::vector<ArrowColumn> columns;
    std::size_t next_buffer = 0;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto length = header.number_at<std::int64_t>(nodes, i * pair_size);
        const auto missing = header.number_at<std::int64_t>(nodes, i * pair_size + sizeof(std::int64_t));
        if (length != rows || missing < 0 || missing > rows) {
            refuse_stream(fmt::format("column {} has {} values, {} of them missing, in a batch of {} rows",
                                      fields[i].name, length, missing, rows));
        }
        ArrowColumn& column = columns.emplace_back(ArrowColumn{missing, {}});
        for (std::size_t buffer = 0; buffer < fields[i].buffers; ++buffer, ++next_buffer) {
            const std::size_t at = next_buffer * pair_size;
            column.buffers.push_back(part_of(body, header.number_at<std::int64_t>(buffers, at),
                                             header.number_at<std::int64_t>(buffers, at + sizeof(std::int64_t))));
        }
    }
    return columns;
}

}  // namespace

void refuse_stream(std::string what) {
    throw ErrorException(fail(Errc::invalid_argument, std::move(what)));
}

struct ArrowMessages::Message {
    std::uint8_t type;
    FlatTable header;
    std::string_view body;
};

std::string_view ArrowMessages::take_bytes(std::uint64_t size, std::string_view what) {
    if (size > bytes_.size() - at_) {
        refuse_stream(
            fmt::format("it is cut off at byte {}: {} of {} bytes begins at byte {}", bytes_.size(), what, size, at_));
    }
    const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += taken.size();
    return taken;
}

std::optional<ArrowMessages::Message> ArrowMessages::take() {
    if (at_ == bytes_.size()) {
        return std::nullopt;
    }
    const std::size_t begin = at_;
    std::array<std::uint32_t, 2> prefix{};
    std::memcpy(prefix.data(), take_bytes(sizeof(prefix), "a message's head").data(), sizeof(prefix));
    if (prefix[0] != 0xFFFFFFFFU) {
        refuse_stream(fmt::format("at byte {} stands {:?} where a message of Arrow's streaming format begins", begin,
                                  bytes_.substr(begin, 8)));
    }
    if (prefix[1] == 0) {
        ended_ = true;
        return std::nullopt;
    }
    const FlatTable message = FlatTable::root(take_bytes(prefix[1], "a message"));
    const auto version = message.number<std::int16_t>(message::version, 0);
    if (version != version_4 && version != version_5) {
        refuse_stream(fmt::format("its metadata are of version {}: write version 5", version + 1));
    }
    const auto header = message.table(message::header);
    const auto length = message.number<std::int64_t>(message::body_length, 0);
    if (!header || length < 0) {
        refuse_stream(fmt::format("the message at byte {} has {}", begin,
                                  header ? fmt::format("a body of {} bytes", length) : "nothing in it"));
    }
    return Message{message.number<std::uint8_t>(message::header_type, 0), *header,
                   take_bytes(static_cast<std::uint64_t>(length), "a message's body")};
}

std::vector<ArrowField> ArrowMessages::schema() {
    const auto first = take();
    if (!first || first->type != is_schema) {
        refuse_stream(!first ? std::string("it has no schema")
                             : fmt::format("it begins with a message of type {}, not with a schema", first->type));
    }
    if (first->header.number<std::int16_t>(schema_table::endianness, 0) != 0) {
        refuse_stream("its numbers are big-endian: write them little-endian");
    }
    const auto list = first->header.list(schema_table::fields, sizeof(std::uint32_t));
    if (list.size > most_columns) {
        refuse_stream(fmt::format("it has {} columns, and at most {} are read", list.size, most_columns));
    }
    std::vector<ArrowField> fields;
    for (std::size_t i = 0; i < list.size; ++i) {
        fields.push_back(field_of(first->header.entry(list, i)));
    }
    return fields;
}

std::optional<ArrowBatch> ArrowMessages::next(const std::vector<ArrowField>& fields) {
    const std::size_t begin = at_;
    const auto message = take();
    if (!message) {
        return std::nullopt;
    }
    if (message->type != is_batch) {
        refuse_stream(fmt::format("the message at byte {} is {}, not a batch of rows", begin,
                                  message->type == is_schema       ? std::string("a second schema")
                                  : message->type == is_dictionary ? std::string("a dictionary")
                                                                   : fmt::format("of type {}", message->type)));
    }
    const FlatTable& header = message->header;
    refuse_compressed(header);
    const auto rows = header.number<std::int64_t>(batch_table::length, 0);
    const std::size_t nodes = header.list(batch_table::nodes, pair_size).size;
    const std::size_t buffers = header.list(batch_table::buffers, pair_size).size;
    std::size_t wanted = 0;
    for (const ArrowField& field : fields) {
        wanted += field.buffers;
    }
    if (rows < 0 || nodes != fields.size() || buffers != wanted) {
        refuse_stream(
            fmt::format("the batch at byte {} has {} rows, {} columns and {} buffers; its schema has {} and {}", begin,
                        rows, nodes, buffers, fields.size(), wanted));
    }
    return ArrowBatch{static_cast<std::size_t>(rows), columns_of(header, message->body, fields, rows)};
}

}  // namespace ktrdr
