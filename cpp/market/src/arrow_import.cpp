// An Arrow stream as bars: one copy, into columns of our own.

#include <fmt/format.h>

#include <cstring>

#include <ktrdr/market/arrow.hpp>
#include <ktrdr/market/bar_columns.hpp>

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

/// How the values of a column lie, by Arrow's format text.
struct Layout {
    enum class Kind { numbers, stamps, text };
    Kind kind{Kind::numbers};
    GivenValues::Type type{GivenValues::Type::float64};
    std::ptrdiff_t width{8};
    StampUnit unit{StampUnit::nano};
    /// Of text: 32 or 64 bits an offset, 0 for views.
    int offset_bits{0};
};

Error failed_stream(ArrowArrayStream& stream, std::string_view what, int error) {
    const char* const words = stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    const std::string_view said = words == nullptr ? std::string_view{} : std::string_view(words).substr(0, 500);
    return fail(Errc::invalid_argument, fmt::format("the frame's {} could not be read: {}", what,
                                                    said.empty() ? std::string_view(std::strerror(error)) : said));
}

std::optional<Layout> number_layout(std::string_view format) {
    using Type = GivenValues::Type;
    struct Known {
        char format;
        Type type;
        std::ptrdiff_t width;
    };
    static constexpr std::array known{Known{'c', Type::int8, 1},    Known{'C', Type::uint8, 1},
                                      Known{'s', Type::int16, 2},   Known{'S', Type::uint16, 2},
                                      Known{'i', Type::int32, 4},   Known{'I', Type::uint32, 4},
                                      Known{'l', Type::int64, 8},   Known{'L', Type::uint64, 8},
                                      Known{'f', Type::float32, 4}, Known{'g', Type::float64, 8}};
    for (const Known& one : known) {
        if (format.size() == 1 && format.front() == one.format) {
            return Layout{.kind = Layout::Kind::numbers, .type = one.type, .width = one.width};
        }
    }
    return std::nullopt;
}

std::optional<Layout> stamp_layout(std::string_view format) {
    using Type = GivenValues::Type;
    const auto of = [](StampUnit unit, Type type = Type::int64, std::ptrdiff_t width = 8) {
        return Layout{.kind = Layout::Kind::stamps, .type = type, .width = width, .unit = unit};
    };
    if (format == "tdD") {
        return of(StampUnit::day, Type::int32, 4);
    }
    if (format == "tdm" || format.starts_with("tsm:")) {
        return of(StampUnit::milli);
    }
    if (format.starts_with("tss:")) {
        return of(StampUnit::second);
    }
    if (format.starts_with("tsu:")) {
        return of(StampUnit::micro);
    }
    if (format.starts_with("tsn:")) {
        return of(StampUnit::nano);
    }
    for (const auto& [text, bits] : {std::pair{"u", 32}, std::pair{"U", 64}, std::pair{"vu", 0}}) {
        if (format == text) {
            return Layout{.kind = Layout::Kind::text, .offset_bits = bits};
        }
    }
    return std::nullopt;
}

Result<Layout> layout_of(const ArrowSchema& schema, BarColumn column) {
    const std::string_view format = schema.format;
    const bool stamps = column == BarColumn::time;
    const auto layout = schema.dictionary != nullptr ? std::nullopt
                        : stamps                     ? stamp_layout(format)
                                                     : number_layout(format);
    if (!layout) {
        return fail(
            Errc::invalid_argument,
            fmt::format("column {} is of the Arrow type {:?}{}: cast it to {}", to_string(column), format.substr(0, 32),
                        schema.dictionary != nullptr ? " in a dictionary" : "", stamps ? "a timestamp" : "float64"),
            {{"column", to_string(column)}});
    }
    return *layout;
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

Result<void> add_texts(BarsBuilder& builder, const Layout& layout, const Run& run) {
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

Result<void> add_run(BarsBuilder& builder, BarColumn column, const Layout& layout, const Run& run) {
    if (run.count == 0) {
        return {};
    }
    if (layout.kind == Layout::Kind::text) {
        return add_texts(builder, layout, run);
    }
    const GivenValues values{.type = layout.type,
                             .data = run.buffer<char>(1) + layout.width * static_cast<std::ptrdiff_t>(run.first),
                             .stride = layout.width,
                             .count = run.count,
                             .valid = run.valid(),
                             .valid_offset = run.first};
    if (layout.kind == Layout::Kind::stamps) {
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
    std::array<Layout, bar_column_count> layouts{};
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
            const auto layout = layout_of(given, column);
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
