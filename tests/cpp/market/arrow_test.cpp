#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include <ktrdr/base/live.hpp>
#include <ktrdr/market/arrow.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t one_day = 86'400'000'000'000;

BarsView three_bars(double second_volume = 7) {
    Bars bars;
    for (std::int64_t i = 0; i < 3; ++i) {
        const auto price = static_cast<double>(i);
        bars.push_back(i * one_day, price, price + 2, price - 0.5, price + 1, i == 1 ? second_volume : 100);
    }
    return BarsView(std::make_shared<const Bars>(std::move(bars)), "AAPL", "1d");
}

Result<GivenBars> read_back(const BarsView& bars) {
    ArrowArrayStream stream{};
    export_bars(bars, stream);
    auto read = read_arrow(stream);
    release_arrow(stream);
    return read;
}

TEST(ArrowExport, IsReadBackAsItWas) {
    for (const double volume : {7.0, -1.0}) {
        const auto again = read_back(three_bars(volume));
        ASSERT_TRUE(again);
        EXPECT_EQ(again->bars, *three_bars(volume).bars());
        EXPECT_TRUE(again->ignored.empty());
    }
    EXPECT_EQ(read_back(three_bars().rows(1, 3))->bars, *three_bars().rows(1, 3).own());
    EXPECT_TRUE(read_back(BarsView())->bars.empty());
}

TEST(ArrowExport, SharesTheColumnsAndOutlivesWhatItWasMadeOf) {
    ArrowArrayStream stream{};
    const double* closes = nullptr;
    {
        const BarsView part = three_bars(-1).rows(1, 3);
        closes = part.close().data();
        export_bars(part, stream);
    }
    ArrowArray table{};
    ASSERT_EQ(stream.get_next(&stream, &table), 0);
    release_arrow(stream);
    ASSERT_EQ(table.n_children, 6);
    EXPECT_EQ(table.length, 2);
    EXPECT_EQ(table.children[4]->buffers[1], closes);
    ASSERT_EQ(table.children[5]->null_count, 1);
    EXPECT_EQ(*static_cast<const std::uint8_t*>(table.children[5]->buffers[0]), 0b10);
    // A reader may keep a column and let the table go.
    ArrowArray kept = *table.children[4];
    table.children[4]->release = nullptr;
    release_arrow(table);
    EXPECT_EQ(static_cast<const double*>(kept.buffers[1])[1], 3);
    release_arrow(kept);
    EXPECT_EQ(kept.release, nullptr);
}

TEST(ArrowExport, EndsAfterOneTable) {
    ArrowArrayStream stream{};
    export_bars(three_bars(), stream);
    ArrowArray table{};
    ASSERT_EQ(stream.get_next(&stream, &table), 0);
    release_arrow(table);
    ASSERT_EQ(stream.get_next(&stream, &table), 0);
    EXPECT_EQ(table.release, nullptr);
    release_arrow(stream);
}

/// A stream of others, made by hand; it owns nothing.
struct FakeStream {
    struct Column {
        std::string name;
        std::string format;
        std::vector<const void*> buffers;
        std::int64_t nulls{0};
    };

    explicit FakeStream(std::vector<Column> given, std::int64_t rows, std::int64_t offset = 0)
        : columns(std::move(given)), length(rows), first(offset) {
        for (Column& column : columns) {
            schemas.push_back({.format = column.format.c_str(), .name = column.name.c_str()});
            arrays.push_back({.length = length,
                              .null_count = column.nulls,
                              .offset = first,
                              .n_buffers = static_cast<std::int64_t>(column.buffers.size()),
                              .buffers = column.buffers.data()});
        }
        for (std::size_t i = 0; i < columns.size(); ++i) {
            schema_pointers.push_back(&schemas[i]);
            array_pointers.push_back(&arrays[i]);
        }
        stream = {.get_schema =
                      [](ArrowArrayStream* self, ArrowSchema* out) {
                          auto& fake = *static_cast<FakeStream*>(self->private_data);
                          *out = {.format = "+s",
                                  .n_children = static_cast<std::int64_t>(fake.columns.size()),
                                  .children = fake.schema_pointers.data()};
                          return 0;
                      },
                  .get_next =
                      [](ArrowArrayStream* self, ArrowArray* out) {
                          auto& fake = *static_cast<FakeStream*>(self->private_data);
                          *out = {};
                          if (fake.fails) {
                              return EIO;
                          }
                          if (fake.batches-- > 0) {
                              *out = {.length = fake.length,
                                      .n_children = static_cast<std::int64_t>(fake.columns.size()),
                                      .children = fake.array_pointers.data(),
                                      .release = [](ArrowArray* array) { array->release = nullptr; }};
                          }
                          return 0;
                      },
                  .get_last_error = [](ArrowArrayStream*) { return "the file is gone"; },
                  .release = nullptr,
                  .private_data = this};
    }
    FakeStream(const FakeStream&) = delete;
    FakeStream& operator=(const FakeStream&) = delete;

    std::vector<Column> columns;
    std::int64_t length;
    std::int64_t first;
    int batches{1};
    bool fails{false};
    std::vector<ArrowSchema> schemas{};
    std::vector<ArrowArray> arrays{};
    std::vector<ArrowSchema*> schema_pointers{};
    std::vector<ArrowArray*> array_pointers{};
    ArrowArrayStream stream{};
};

const std::array<double, 3> prices{1, 2, 3};

std::vector<FakeStream::Column> with_stamps(FakeStream::Column stamps) {
    std::vector<FakeStream::Column> columns{std::move(stamps)};
    for (const char* name : {"open", "high", "low", "close"}) {
        columns.push_back({name, "g", {nullptr, prices.data()}});
    }
    return columns;
}

TEST(ArrowImport, TakesDatesAndTextAsStamps) {
    const std::array<std::int32_t, 2> days{1, 2};
    FakeStream dates(with_stamps({"Date", "tdD", {nullptr, days.data()}}), 2);
    EXPECT_THAT(read_arrow(dates.stream)->bars.time, ElementsAre(one_day, 2 * one_day));

    const std::string_view text = "1970-01-021970-01-03";
    const std::array<std::int32_t, 3> offsets{0, 10, 20};
    FakeStream texts(with_stamps({"time", "u", {nullptr, offsets.data(), text.data()}}), 2);
    EXPECT_THAT(read_arrow(texts.stream)->bars.time, ElementsAre(one_day, 2 * one_day));
}

TEST(ArrowImport, TakesViewsOfText) {
    // The first is short and lies in its view, the other is long and lies in a buffer.
    const std::string_view far = "1970-01-03T00:00:00Z";
    std::array<char, 32> views{};
    const std::int32_t short_length = 10;
    std::memcpy(views.data(), &short_length, 4);
    std::memcpy(views.data() + 4, "1970-01-02", 10);
    const auto long_length = static_cast<std::int32_t>(far.size());
    std::memcpy(views.data() + 16, &long_length, 4);
    FakeStream stream(with_stamps({"time", "vu", {nullptr, views.data(), far.data()}}), 2);
    EXPECT_THAT(read_arrow(stream.stream)->bars.time, ElementsAre(one_day, 2 * one_day));
}

TEST(ArrowImport, JoinsBatchesAndKeepsTheirOffsets) {
    const std::array<std::int64_t, 3> seconds{0, 86'400, 172'800};
    FakeStream stream(with_stamps({"time", "tss:", {nullptr, seconds.data()}}), 2, 1);
    stream.batches = 2;
    const auto given = read_arrow(stream.stream);
    ASSERT_TRUE(given);
    EXPECT_THAT(given->bars.time, ElementsAre(one_day, 2 * one_day, one_day, 2 * one_day));
    EXPECT_THAT(given->bars.open, ElementsAre(2, 3, 2, 3));
}

TEST(ArrowImport, SaysWhatItCannotTake) {
    const std::array<std::int64_t, 3> seconds{0, 86'400, 172'800};
    FakeStream decimals(with_stamps({"time", "d:19,4", {nullptr, seconds.data()}}), 2);
    EXPECT_THAT(read_arrow(decimals.stream).error().message, HasSubstr("\"d:19,4\": cast it to a timestamp"));
    auto columns = with_stamps({"time", "tss:", {nullptr, seconds.data()}});
    columns[1].format = "u";
    FakeStream text_price(columns, 2);
    EXPECT_THAT(read_arrow(text_price.stream).error().message, HasSubstr("column open is of the Arrow type \"u\""));
    const std::uint8_t first_only = 0b01;
    FakeStream missing(with_stamps({"time", "tss:", {&first_only, seconds.data()}, 1}), 2);
    EXPECT_THAT(read_arrow(missing.stream).error().message, HasSubstr("row 1, column timestamp: there is no stamp"));
    FakeStream broken(with_stamps({"time", "tss:", {nullptr, seconds.data()}}), 2);
    broken.fails = true;
    EXPECT_THAT(read_arrow(broken.stream).error().message, HasSubstr("could not be read: the file is gone"));
}

TEST(ArrowImport, TakesAVolumeOfNothingButNulls) {
    const std::array<std::int64_t, 3> seconds{0, 86'400, 172'800};
    auto columns = with_stamps({"time", "tss:", {nullptr, seconds.data()}});
    columns.push_back({"volume", "n", {}});
    FakeStream stream(columns, 2);
    EXPECT_THAT(read_arrow(stream.stream)->bars.volume, ElementsAre(-1, -1));
}

}  // namespace
}  // namespace ktrdr
