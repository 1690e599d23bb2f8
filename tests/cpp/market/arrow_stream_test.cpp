// What pyarrow and polars wrote (tests/vectors/make_arrow.py): three days, the second without a volume.
#include <ktrdr/market/arrow_stream.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <ktrdr/market/bar_columns.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path vectors = "tests/vectors/arrow";

std::string stream_named(const std::string& name) {
    std::ifstream file(vectors / (name + ".arrows"), std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

/// In memory of just its size, so that a sanitizer sees who reads behind it.
Result<StreamedBars> read_exactly(std::string_view bytes) {
    const std::vector<char> exact(bytes.begin(), bytes.end());
    return read_arrow_stream({exact.data(), exact.size()});
}

Bars three_days() {
    constexpr std::int64_t day = 86'400'000'000'000;
    Bars bars;
    for (int i = 0; i < 3; ++i) {
        const double price = 2.0 + i;
        bars.push_back((19724 + i) * day, price, price + 1, price - 1, price, i == 1 ? Bars::no_volume : 100);
    }
    return bars;
}

std::string refusal_of(std::string_view bytes) {
    const auto read = read_exactly(bytes);
    if (read) {
        return "";
    }
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
    return read.error().message;
}

TEST(ArrowStream, OfEachWayToWriteBarsHasTheSameBars) {
    for (const auto* name : {"host", "s", "ms", "us", "naive", "zoned", "dates", "more", "reordered", "polars"}) {
        const auto read = read_exactly(stream_named(name));
        ASSERT_TRUE(read) << name << ": " << read.error().message;
        EXPECT_EQ(read->given.bars, three_days()) << name;
        EXPECT_TRUE(read->ended) << name;
    }
}

TEST(ArrowStream, NamesTheColumnsThatNoBarHas) {
    EXPECT_THAT(read_exactly(stream_named("more"))->given.ignored,
                ElementsAre("source", "symbol", "count", "halted", "nothing"));
}

TEST(ArrowStream, WithoutVolumesHasNone) {
    Bars without = three_days();
    without.volume.assign(3, Bars::no_volume);
    for (const auto* name : {"no_volume", "null_volume"}) {
        EXPECT_EQ(read_exactly(stream_named(name))->given.bars, without) << name;
    }
}

TEST(ArrowStream, OfNothingHasNoBars) {
    const auto read = read_exactly(stream_named("empty"));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->given.bars.empty());
    EXPECT_TRUE(read->ended);
}

TEST(ArrowStream, KeepsRowsWithoutAPriceOrAStamp) {
    const Bars no_price = read_exactly(stream_named("no_price"))->given.bars;
    ASSERT_EQ(no_price.size(), 3U);
    EXPECT_TRUE(std::isnan(no_price.close[1]));
    EXPECT_EQ(no_price.time, three_days().time);
    const Bars no_time = read_exactly(stream_named("no_stamp"))->given.bars;
    EXPECT_THAT(no_time.time, ElementsAre(three_days().time[0], no_stamp, three_days().time[2]));
    EXPECT_EQ(no_time.close, three_days().close);
}

TEST(ArrowStream, ThatIsWrittenInAWayThatIsNotReadSaysWhich) {
    EXPECT_THAT(refusal_of(stream_named("lz4")), HasSubstr("compressed (LZ4)"));
    EXPECT_THAT(refusal_of(stream_named("zstd")), HasSubstr("compressed (ZSTD)"));
    EXPECT_THAT(refusal_of(stream_named("dictionary")), HasSubstr("column symbol is in a dictionary"));
    EXPECT_THAT(refusal_of(stream_named("nested")), HasSubstr("column all is nested"));
    EXPECT_THAT(refusal_of(stream_named("texts")), HasSubstr("column timestamp holds texts"));
    EXPECT_THAT(refusal_of(stream_named("integers")), HasSubstr("column timestamp is of the Arrow type \"l\""));
    EXPECT_THAT(refusal_of(stream_named("halves")), HasSubstr("column open is of the Arrow type \"e\""));
}

TEST(ArrowStream, ThatIsNoneSaysWhatCame) {
    EXPECT_THAT(refusal_of(""), HasSubstr("it has no schema"));
    EXPECT_THAT(refusal_of("{\"success\": true}"), HasSubstr("{\\\"succes"));
    EXPECT_THAT(refusal_of("ARROW1"), HasSubstr("it is cut off at byte 6"));
    EXPECT_THAT(refusal_of(std::string("\xff\xff\xff\xff\0\0\0\0", 8)), HasSubstr("it has no schema"));
    EXPECT_THAT(refusal_of(std::string("\xff\xff\xff\xff\0\0\0\x80", 8)), HasSubstr("cut off"));
    EXPECT_THAT(refusal_of(std::string("\xff\xff\xff\xff\x04\0\0\0\xff\xff\xff\xff", 12)), HasSubstr("outside"));
}

TEST(ArrowStream, OfABigEndianMachineIsRefused) {
    // A schema without columns, whose endianness, field 0, is 1: the message, its list of fields, the schema's two.
    const std::vector<std::uint16_t> halves{
        20, 0,                // the message lies at byte 20
        12, 24, 4, 6, 8, 12,  // the list of the message's fields: version, type, header, body
        0,  0,                // to a multiple of four
        16, 0,                // byte 20: the list lies 16 before
        4,  1,                // version 5, a schema
        20, 0,                // the schema lies 20 behind
        0,  0,  0, 0,         // no body
        6,  8,  4, 0,         // byte 40: the list of the schema's fields
        8,  0,                // byte 48: the list lies 8 before
        1,  0                 // big-endian
    };
    std::string bytes("\xff\xff\xff\xff", 4);
    const auto size = static_cast<std::uint32_t>(halves.size() * 2);
    bytes.append(reinterpret_cast<const char*>(&size), 4);
    bytes.append(reinterpret_cast<const char*>(halves.data()), size);
    EXPECT_THAT(refusal_of(bytes), HasSubstr("big-endian"));
}

TEST(ArrowStream, ThatIsCutOffIsRefusedUnlessItEndsBehindABatch) {
    const std::string whole = stream_named("host");
    std::size_t read_in_part = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto read = read_exactly(std::string_view(whole).substr(0, size));
        if (!read) {
            EXPECT_FALSE(read.error().message.empty());
            continue;
        }
        ++read_in_part;
        EXPECT_FALSE(read->ended) << size;
        const Bars& bars = read->given.bars;
        EXPECT_EQ(bars, three_days().rows(0, bars.size())) << size;
    }
    // Behind the schema, the first batch and the second.
    EXPECT_EQ(read_in_part, 3U);
}

/// Where these integers lie one after another.
std::size_t place_of(const std::string& bytes, std::initializer_list<std::int64_t> numbers) {
    std::string wanted(numbers.size() * sizeof(std::int64_t), '\0');
    std::memcpy(wanted.data(), std::data(numbers), wanted.size());
    const std::size_t place = bytes.find(wanted);
    EXPECT_NE(place, std::string::npos);
    return place;
}

std::string with(std::string bytes, std::size_t place, std::int64_t number) {
    std::memcpy(bytes.data() + place, &number, sizeof number);
    return bytes;
}

TEST(ArrowStream, WhoseColumnsAreShorterThanTheySayIsRefused) {
    const std::string whole = stream_named("host");
    // The second batch has one row: its buffers lie from the body's begin on, and each column has a value, none
    // missing.
    const std::size_t stamps = place_of(whole, {0, 0, 0, 8}) + 3 * sizeof(std::int64_t);
    EXPECT_THAT(refusal_of(with(whole, stamps, 4)), HasSubstr("column timestamp has 4 bytes for 1 rows of 8"));
    const std::size_t opens = place_of(whole, {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}) + 3 * sizeof(std::int64_t);
    EXPECT_THAT(refusal_of(with(whole, opens, 1)),
                HasSubstr("column open says that 1 of its 1 values are missing, and has 0 bytes to say which"));
    EXPECT_THAT(refusal_of(with(whole, opens, 2)), HasSubstr("2 of them missing"));
}

TEST(ArrowStream, WithoutAColumnThatBarsNeedIsRefused) {
    for (const std::string column : {"timestamp", "open", "close"}) {
        std::string bytes = stream_named("host");
        bytes.at(bytes.find(column)) = 'x';
        EXPECT_THAT(refusal_of(bytes), HasSubstr(column));
    }
}

TEST(ArrowStream, KeepsARowWhoseStampNoBarCanHave) {
    constexpr std::int64_t seconds = 19724 * std::int64_t{86'400};
    const std::string whole = stream_named("s");
    const Bars bars = read_exactly(with(whole, place_of(whole, {seconds}), std::int64_t{1} << 60))->given.bars;
    EXPECT_THAT(bars.time, ElementsAre(no_stamp, three_days().time[1], three_days().time[2]));
    EXPECT_EQ(bars.close, three_days().close);
}

TEST(ArrowStream, WithAnyByteChangedIsReadOrRefused) {
    for (const auto& file : std::filesystem::directory_iterator(vectors)) {
        std::string bytes = stream_named(file.path().stem());
        for (std::size_t at = 0; at < bytes.size(); at += soak_step(5)) {
            const char before = bytes[at];
            for (const int mask : {0x01, 0x80, 0xff}) {
                bytes[at] = static_cast<char>(before ^ mask);
                if (const auto read = read_exactly(bytes)) {
                    ASSERT_TRUE(read->given.bars.check_lengths()) << file.path() << " " << at;
                }
            }
            bytes[at] = before;
        }
    }
}

}  // namespace
}  // namespace ktrdr
