// An Arrow stream as bars: one copy, into columns of our own.

#include <fmt/format.h>

#include <cstring>

#include <ktrdr/market/arrow.hpp>
#include <ktrdr/market/bar_columns.hpp>

#include "arrow_layout.hpp"

namespace ktrdr {
namespace {

/// A structure that is released when it goes.
template <class Structure>
class Held final {
public:
    Held() = default;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { release_arrow(value_); }
    Structure* operator->() { return &value_; }
    Structure& operator*() { return value_; }

private:
    Structure value_{};
};

Error failed_stream(ArrowArrayStream& stream, std::string_view what, int error) {
    const char* const words = stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    const std::string_view said = words == nullptr ? std::string_view{} : std::string_view(words).substr(0, 500);
    return fail(Errc::invalid_argument, fmt::format("the frame's {} could not be read: {}", what,
                                                    said.empty() ? std::string_view(std::strerror(error)) : said));
}

/// One batch's part of a column.
struct Run {
    const ArrowArray& array;
    /// The first row in the column's buffers.
    std::size_t first;
    std::size_t count;

    template <class T>
    [[nodiscard]] const T* buffer(std::size_t index) const {
        return static_cast<const T*>(array.buffers[index]);
    }
    [[nodiscard]] const std::uint8_t* valid() const {
        return array.null_count == 0 ? nullptr : buffer<std::uint8_t>(0);
    }
    [[nodiscard]] bool is_valid(std::size_t row) const {
        const std::size_t bit = first + row;
        return valid() == nullptr || ((valid()[bit / 8] >> (bit % 8)) & 1U) != 0;
    }
};

template <class Offset>
std::string_view text_between(const Run& run, std::size_t row) {
    const Offset* const offsets = run.buffer<Offset>(1) + run.first + row;
    return {run.buffer<char>(2) + offsets[0], static_cast<std::size_t>(offsets[1] - offsets[0])};
}

/// Of a view: its length, then the text itself, or four bytes of it, buffer and offset.
std::string_view text_of_view(const Run& run, std::size_t row) {
    constexpr std::int32_t longest_inline = 12;
    const char* const view = run.buffer<char>(1) + 16 * (run.first + row);
    std::int32_t length = 0;
    std::memcpy(&length, view, 4);
    if (length <= longest_inline) {
        return {view + 4, static_cast<std::size_t>(length)};
    }
    std::array<std::int32_t, 2> place{};
    std::memcpy(place.data(), view + 8, 8);
    return {run.buffer<char>(2 + static_cast<std::size_t>(place[0])) + place[1], static_cast<std::size_t>(length)};
}

Result<void> add_texts(BarsBuilder& builder, const ArrowLayout& layout, const Run& run) {
    for (std::size_t row = 0; row < run.count; ++row) {
        std::optional<std::string_view> text;
        if (run.is_valid(row)) {
            text = layout.offset_bits == 0    ? text_of_view(run, row)
                   : layout.offset_bits == 32 ? text_between<std::int32_t>(run, row)
                                              : text_between<std::int64_t>(run, row);
        }
        if (const auto added = builder.add_stamp_text(text); !added) {
            return added;
        }
    }
    return {};
}

Result<void> add_run(BarsBuilder& builder, BarColumn column, const ArrowLayout& layout, const Run& run) {
    if (run.count == 0) {
        return {};
    }
    if (layout.kind == ArrowLayout::Kind::text) {
        return add_texts(builder, layout, run);
    }
    const GivenValues values{.type = layout.type,
                             .data = run.buffer<char>(1) + layout.width * static_cast<std::ptrdiff_t>(run.first),
                             .stride = layout.width,
                             .count = run.count,
                             .valid = run.valid(),
                             .valid_offset = run.first};
    if (layout.kind == ArrowLayout::Kind::stamps) {
        return builder.add_stamps(layout.unit, values);
    }
    builder.add_numbers(column, values);
    return {};
}

Result<std::vector<std::string>> names_of(const ArrowSchema& schema) {
    if (std::string_view(schema.format) != "+s") {
        return fail(Errc::invalid_argument,
                    fmt::format("the frame is a stream of the Arrow type {:?}, not of tables: give one with columns",
                                std::string_view(schema.format).substr(0, 32)));
    }
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < schema.n_children; ++i) {
        const char* const name = schema.children[i]->name;
        names.emplace_back(name == nullptr ? "" : name);
    }
    return names;
}

struct Reading {
    ColumnPlan plan{};
    std::array<ArrowLayout, bar_column_count> layouts{};
};

Result<Reading> plan_reading(const ArrowSchema& schema) {
    const auto names = names_of(schema);
    if (!names) {
        return names.error();
    }
    auto plan = plan_frame(*names);
    if (!plan) {
        return plan.error();
    }
    Reading reading{std::move(*plan), {}};
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        const auto column = static_cast<BarColumn>(i);
        if (const auto at = reading.plan.at[i]) {
            const ArrowSchema& given = *schema.children[*at];
            if (column == BarColumn::volume && std::string_view(given.format) == "n") {
                // Nothing but nulls: as good as no column.
                reading.plan.at[i].reset();
                continue;
            }
            const auto layout = arrow_layout(given.format, given.dictionary != nullptr, column);
            if (!layout) {
                return layout.error();
            }
            reading.layouts[i] = *layout;
        }
    }
    return reading;
}

Result<void> add_batch(BarsBuilder& builder, const Reading& reading, const ArrowArray& batch) {
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        if (const auto at = reading.plan.at[i]) {
            const ArrowArray& column = *batch.children[*at];
            const Run run{column, static_cast<std::size_t>(column.offset + batch.offset),
                          static_cast<std::size_t>(batch.length)};
            if (const auto added = add_run(builder, static_cast<BarColumn>(i), reading.layouts[i], run); !added) {
                return added;
            }
        }
    }
    return {};
}

}  // namespace

Result<GivenBars> read_arrow(ArrowArrayStream& stream) {
    Held<ArrowSchema> schema;
    if (const int error = stream.get_schema(&stream, &*schema); error != 0) {
        return failed_stream(stream, "columns", error);
    }
    auto reading = plan_reading(*schema);
    if (!reading) {
        return reading.error();
    }
    BarsBuilder builder;
    for (;;) {
        Held<ArrowArray> batch;
        if (const int error = stream.get_next(&stream, &*batch); error != 0) {
            return failed_stream(stream, "rows", error);
        }
        if (batch->release == nullptr) {
            break;
        }
        if (const auto added = add_batch(builder, *reading, *batch); !added) {
            return added.error();
        }
    }
    auto bars = std::move(builder).finish();
    if (!bars) {
        return bars.error();
    }
    return GivenBars{std::move(*bars), std::move(reading->plan.ignored)};
}

}  // namespace ktrdr
