// Bars as an Arrow stream: the columns are shared, what describes them is made here.

#include <array>
#include <cerrno>
#include <memory>

#include <ktrdr/market/arrow.hpp>
#include <ktrdr/market/bar_columns.hpp>

namespace ktrdr {
namespace {

constexpr std::int64_t nullable = 2;
constexpr const char* column_names[bar_column_count] = {"timestamp", "open", "high", "low", "close", "volume"};

/// What the description of the table points to; the columns' descriptions point to nothing of it.
struct TableSchema {
    std::array<ArrowSchema, bar_column_count> columns{};
    std::array<ArrowSchema*, bar_column_count> pointers{};
};

/// What one column points to. A reader may keep it longer than the table.
struct SharedColumn {
    BarsPtr bars{};
    std::shared_ptr<const std::vector<std::uint8_t>> valid{};
    std::array<const void*, 2> buffers{};
};

struct Table {
    std::array<ArrowArray, bar_column_count> columns{};
    std::array<ArrowArray*, bar_column_count> pointers{};
    std::array<const void*, 1> buffers{};
};

struct Stream {
    BarsView bars{};
    bool given{false};
};

void release_column_schema(ArrowSchema* schema) {
    schema->release = nullptr;
}

void release_table_schema(ArrowSchema* schema) {
    const std::unique_ptr<TableSchema> table(static_cast<TableSchema*>(schema->private_data));
    for (ArrowSchema& column : table->columns) {
        release_arrow(column);
    }
    schema->release = nullptr;
}

void describe(ArrowSchema& out) {
    auto table = std::make_unique<TableSchema>();
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        const auto column = static_cast<BarColumn>(i);
        table->columns[i] = {.format = column == BarColumn::time ? "tsn:UTC" : "g",
                             .name = column_names[i],
                             .metadata = nullptr,
                             .flags = column == BarColumn::volume ? nullable : 0,
                             .n_children = 0,
                             .children = nullptr,
                             .dictionary = nullptr,
                             .release = release_column_schema,
                             .private_data = nullptr};
        table->pointers[i] = &table->columns[i];
    }
    out = {.format = "+s",
           .name = "",
           .metadata = nullptr,
           .flags = 0,
           .n_children = bar_column_count,
           .children = table->pointers.data(),
           .dictionary = nullptr,
           .release = release_table_schema,
           .private_data = table.get()};
    table.release();  // NOLINT(bugprone-unused-return-value): `release_table_schema` has it now.
}

void release_column(ArrowArray* array) {
    delete static_cast<SharedColumn*>(array->private_data);
    array->release = nullptr;
}

void release_table(ArrowArray* array) {
    const std::unique_ptr<Table> table(static_cast<Table*>(array->private_data));
    for (ArrowArray& column : table->columns) {
        release_arrow(column);
    }
    array->release = nullptr;
}

/// A bit for each volume that there is; null where there are all.
std::shared_ptr<const std::vector<std::uint8_t>> valid_bits(std::span<const double> volume, std::int64_t& missing) {
    for (const double one : volume) {
        missing += one == Bars::no_volume ? 1 : 0;
    }
    if (missing == 0) {
        return nullptr;
    }
    auto bits = std::make_shared<std::vector<std::uint8_t>>((volume.size() + 7) / 8, std::uint8_t{0});
    for (std::size_t i = 0; i < volume.size(); ++i) {
        if (volume[i] != Bars::no_volume) {
            (*bits)[i / 8] = static_cast<std::uint8_t>((*bits)[i / 8] | (1U << (i % 8)));
        }
    }
    return bits;
}

ArrowArray shared_column(const BarsView& bars, BarColumn column) {
    auto shared = std::make_unique<SharedColumn>();
    shared->bars = bars.bars();
    std::int64_t missing = 0;
    const void* values = nullptr;
    switch (column) {
        case BarColumn::time: values = bars.time().data(); break;
        case BarColumn::open: values = bars.open().data(); break;
        case BarColumn::high: values = bars.high().data(); break;
        case BarColumn::low: values = bars.low().data(); break;
        case BarColumn::close: values = bars.close().data(); break;
        case BarColumn::volume:
            values = bars.volume().data();
            shared->valid = valid_bits(bars.volume(), missing);
            break;
    }
    shared->buffers = {shared->valid ? shared->valid->data() : nullptr, values};
    const ArrowArray array{.length = static_cast<std::int64_t>(bars.size()),
                           .null_count = missing,
                           .offset = 0,
                           .n_buffers = 2,
                           .n_children = 0,
                           .buffers = shared->buffers.data(),
                           .children = nullptr,
                           .dictionary = nullptr,
                           .release = release_column,
                           .private_data = shared.get()};
    shared.release();  // NOLINT(bugprone-unused-return-value): `release_column` has it now.
    return array;
}

void hand_over(const BarsView& bars, ArrowArray& out) {
    auto table = std::make_unique<Table>();
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        table->columns[i] = shared_column(bars, static_cast<BarColumn>(i));
        table->pointers[i] = &table->columns[i];
    }
    out = {.length = static_cast<std::int64_t>(bars.size()),
           .null_count = 0,
           .offset = 0,
           .n_buffers = 1,
           .n_children = bar_column_count,
           .buffers = table->buffers.data(),
           .children = table->pointers.data(),
           .dictionary = nullptr,
           .release = release_table,
           .private_data = table.get()};
    table.release();  // NOLINT(bugprone-unused-return-value): `release_table` has it now.
}

/// Runs inside another library, which knows no exceptions of ours.
template <class Work>
int guarded(Work work) {
    try {
        work();
        return 0;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    } catch (...) {
        return EIO;
    }
}

int give_schema(ArrowArrayStream*, ArrowSchema* out) {
    out->release = nullptr;
    return guarded([out] { describe(*out); });
}

int give_next(ArrowArrayStream* self, ArrowArray* out) {
    out->release = nullptr;
    auto& stream = *static_cast<Stream*>(self->private_data);
    if (std::exchange(stream.given, true) || stream.bars.empty()) {
        return 0;
    }
    return guarded([&stream, out] { hand_over(stream.bars, *out); });
}

const char* no_words(ArrowArrayStream*) {
    return nullptr;
}

void release_stream(ArrowArrayStream* self) {
    delete static_cast<Stream*>(self->private_data);
    self->release = nullptr;
}

}  // namespace

void export_bars(BarsView bars, ArrowArrayStream& out) {
    out = {.get_schema = give_schema,
           .get_next = give_next,
           .get_last_error = no_words,
           .release = release_stream,
           .private_data = new Stream{std::move(bars)}};
}

}  // namespace ktrdr
