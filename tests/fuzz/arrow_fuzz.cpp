// A stream of record batches, as another library may hand it over: any types, any values, any cut. Bars come of it that
// have as many rows, or an error that names a column. What the interface promises of memory is kept: buffers are as
// long as types and lengths say.

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <ktrdr/market/arrow.hpp>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

/// Bytes one after another, zeros when they are used up.
class Source final {
public:
    Source(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    std::uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
    [[nodiscard]] bool empty() const { return at_ >= size_; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_{0};
};

constexpr std::array formats{"c",  "C",   "s",   "S",    "i",    "I",       "l",    "L",     "f",
                             "g",  "tdD", "tdm", "tss:", "tsm:", "tsu:UTC", "tsn:", "u",     "U",
                             "vu", "n",   "b",   "w:3",  "tsX:", "",        "e",    "d:10,2"};
constexpr std::array names{"timestamp", "open", "high", "low", "close", "volume", "date", "time", "Open", "x", ""};

std::size_t width_of(std::string_view format) {
    if (format == "c" || format == "C") {
        return 1;
    }
    if (format == "s" || format == "S" || format == "e") {
        return 2;
    }
    return format == "i" || format == "I" || format == "f" || format == "tdD" ? 4 : 16;
}

/// A column of a batch, with its memory.
struct Column {
    ArrowArray array{};
    /// Whole words, so that every type is aligned.
    std::array<std::vector<std::uint64_t>, 3> memory{};
    std::vector<const void*> buffers{};

    Column(Source& source, std::string_view format, std::int64_t offset, std::int64_t rows) {
        array.offset = source.byte() % 9;
        array.length = offset + rows;
        const auto slots = static_cast<std::size_t>(array.offset + array.length);
        const bool nulls = source.byte() % 2 == 0;
        array.null_count = nulls ? -1 : 0;
        memory[0].assign(slots / 64 + 1, ~std::uint64_t{0});
        if (nulls) {
            fill(source, memory[0]);
        }
        if (format == "u" || format == "U") {
            texts(source, slots, format == "u" ? 4 : 8);
        } else if (format == "vu") {
            views(source, slots);
        } else {
            memory[1].assign(slots * width_of(format) / 8 + 1, 0);
            fill(source, memory[1]);
        }
        buffers = {nulls || source.byte() % 2 == 0 ? memory[0].data() : nullptr, memory[1].data(), memory[2].data()};
        if (nulls) {
            buffers[0] = memory[0].data();
        } else {
            array.null_count = 0;
        }
        array.n_buffers = 3;
        array.buffers = buffers.data();
    }

    static void fill(Source& source, std::vector<std::uint64_t>& words) {
        auto* const bytes = reinterpret_cast<std::uint8_t*>(words.data());
        for (std::size_t i = 0; i < 8 * words.size() && !source.empty(); ++i) {
            bytes[i] = source.byte();
        }
    }

    /// Offsets that rise and end inside of the text.
    void texts(Source& source, std::size_t slots, std::size_t width) {
        memory[1].assign((slots + 1) * width / 8 + 1, 0);
        std::string text;
        for (std::size_t i = 0; i <= slots; ++i) {
            const std::int64_t offset = static_cast<std::int64_t>(text.size());
            std::memcpy(reinterpret_cast<char*>(memory[1].data()) + i * width, &offset, width);
            for (int left = source.byte() % 32; left > 0; --left) {
                text.push_back(static_cast<char>(source.byte()));
            }
        }
        memory[2].assign(text.size() / 8 + 1, 0);
        std::memcpy(memory[2].data(), text.data(), text.size());
    }

    void views(Source& source, std::size_t slots) {
        memory[1].assign(2 * slots, 0);
        memory[2].assign(8, 0);
        fill(source, memory[2]);
        for (std::size_t i = 0; i < slots; ++i) {
            auto* const view = reinterpret_cast<char*>(memory[1].data() + 2 * i);
            const std::int32_t length = source.byte() % 40;
            std::memcpy(view, &length, 4);
            if (length > 12) {
                const std::array<std::int32_t, 2> place{0, source.byte() % (64 - length + 1)};
                std::memcpy(view + 8, place.data(), 8);
            } else {
                for (std::int32_t c = 0; c < length; ++c) {
                    view[4 + c] = static_cast<char>(source.byte());
                }
            }
        }
    }
};

struct Batch {
    std::vector<std::unique_ptr<Column>> columns{};
    std::vector<ArrowArray*> children{};
    std::array<const void*, 1> buffers{nullptr};
};

/// Everything that a stream hands out; what it hands out may live longer than the call, as the interface says.
struct Stream {
    Source source;
    std::vector<const char*> formats_of{};
    std::vector<const char*> names_of{};
    std::vector<ArrowSchema> columns{};
    std::vector<ArrowSchema*> children{};
    int batches{0};
    std::size_t rows{0};

    explicit Stream(Source from) : source(from) {
        const std::size_t count = source.byte() % 8;
        for (std::size_t i = 0; i < count; ++i) {
            // Mostly a column for each of a bar's, so that many inputs are read to their end.
            const std::uint8_t odd = source.byte();
            names_of.push_back(odd < 200 && i < 6 ? names.at(i) : names.at(odd % names.size()));
            formats_of.push_back(formats.at(source.byte() % formats.size()));
        }
        columns.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            columns[i].format = formats_of[i];
            columns[i].name = names_of[i];
            columns[i].release = [](ArrowSchema* schema) { schema->release = nullptr; };
            children.push_back(&columns[i]);
        }
        batches = 1 + source.byte() % 3;
    }

    int schema(ArrowSchema* out) {
        *out = {};
        out->format = "+s";
        out->n_children = static_cast<std::int64_t>(children.size());
        out->children = children.data();
        out->release = [](ArrowSchema* schema) { schema->release = nullptr; };
        return 0;
    }

    int next(ArrowArray* out) {
        *out = {};
        if (batches-- == 0) {
            return 0;
        }
        auto* const batch = new Batch;
        out->offset = source.byte() % 5;
        out->length = source.byte() % 20;
        rows += static_cast<std::size_t>(out->length);
        for (const char* const format : formats_of) {
            batch->columns.push_back(std::make_unique<Column>(source, format, out->offset, out->length));
            batch->children.push_back(&batch->columns.back()->array);
        }
        out->n_children = static_cast<std::int64_t>(batch->children.size());
        out->children = batch->children.data();
        out->n_buffers = 1;
        out->buffers = batch->buffers.data();
        out->private_data = batch;
        out->release = [](ArrowArray* array) {
            delete static_cast<Batch*>(array->private_data);
            array->release = nullptr;
        };
        return 0;
    }
};

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    Stream made{Source(data, size)};
    ArrowArrayStream stream;
    stream.private_data = &made;
    stream.get_schema = [](ArrowArrayStream* self, ArrowSchema* out) {
        return static_cast<Stream*>(self->private_data)->schema(out);
    };
    stream.get_next = [](ArrowArrayStream* self, ArrowArray* out) {
        return static_cast<Stream*>(self->private_data)->next(out);
    };
    stream.get_last_error = [](ArrowArrayStream*) -> const char* { return nullptr; };
    stream.release = [](ArrowArrayStream* self) { self->release = nullptr; };
    if (const auto given = read_arrow(stream)) {
        require(given->bars.check_lengths().has_value(), "columns have one length");
        require(given->bars.size() == made.rows, "there are as many bars as rows");
    } else {
        require(given.error().code == Errc::invalid_argument, "what cannot be read is a wrong argument");
        require(!given.error().message.empty(), "and says why");
    }
    return 0;
}
