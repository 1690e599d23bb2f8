#include <ktrdr/models/safetensors.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace ktrdr {
namespace {

using testing::HasSubstr;

const std::vector<NamedTensor> tensors{
    {"0.weight", {2, 3}, {1, -2, 3.5F, 4, 5, 6}}, {"0.bias", {2}, {7, 8}}, {"empty", {0}, {}}, {"scalar", {}, {9}}};

std::uint64_t header_length(const std::string& content) {
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), 8);
    return length;
}

std::string with_header(std::string header, std::size_t data_bytes) {
    std::string content(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(content.data(), &length, 8);
    return content + header + std::string(data_bytes, '\0');
}

TEST(Safetensors, GiveBackWhatWasWritten) {
    const auto file = decode_safetensors(encode_safetensors(tensors, {{"format", "pt"}})).value();
    EXPECT_EQ(file.tensors, tensors);
    EXPECT_EQ(file.metadata, (boost::json::object{{"format", "pt"}}));
}

TEST(Safetensors, PadTheHeaderToEightBytes) {
    for (std::size_t length = 1; length < 12; ++length) {
        const std::string content = encode_safetensors(std::vector<NamedTensor>{{std::string(length, 'w'), {1}, {1}}});
        EXPECT_EQ(header_length(content) % 8, 0u);
        EXPECT_EQ(content.size(), 8 + header_length(content) + sizeof(float));
        EXPECT_EQ(content[8], '{');
    }
}

TEST(Safetensors, AreRefusedWhereverTheyAreCutShort) {
    const std::string content = encode_safetensors(tensors);
    for (std::size_t length = 0; length < content.size(); ++length) {
        EXPECT_EQ(decode_safetensors(content.substr(0, length)).error().code, Errc::invalid_argument) << length;
    }
}

TEST(Safetensors, AreRefusedWhenTheHeaderLies) {
    const std::vector<std::string> headers{
        R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
        R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
        R"({"a":{"dtype":"F32","shape":[2]}})",
        R"({"a":7})",
        R"([])",
        R"({"a")",
    };
    for (const std::string& header : headers) {
        EXPECT_FALSE(decode_safetensors(with_header(header, 8))) << header;
    }
    EXPECT_TRUE(
        decode_safetensors(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8)).has_value());
}

std::string entry(const std::string& name, std::size_t first, std::size_t last) {
    return fmt::format(R"("{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})", name, (last - first) / 4, first,
                       last);
}

std::string refusal(const std::string& header, std::size_t data_bytes) {
    const auto file = decode_safetensors(with_header(header, data_bytes));
    return file ? "taken" : file.error().message;
}

TEST(Safetensors, AreRefusedWhenTensorsShareBytes) {
    EXPECT_THAT(refusal("{" + entry("a", 0, 8) + "," + entry("b", 4, 12) + "}", 12), HasSubstr("'b' overlaps"));
    EXPECT_THAT(refusal("{" + entry("a", 0, 8) + "," + entry("b", 0, 8) + "}", 8), HasSubstr("overlaps"));
    EXPECT_THAT(refusal("{" + entry("b", 8, 12) + "," + entry("a", 0, 12) + "}", 12), HasSubstr("'b' overlaps"));
    EXPECT_THAT(refusal("{" + entry("a", 0, 8) + "," + entry("b", 4, 4) + "}", 8), HasSubstr("'b' overlaps"));
}

TEST(Safetensors, AreRefusedWhenBytesBelongToNoTensor) {
    EXPECT_THAT(refusal("{" + entry("a", 4, 8) + "}", 8), HasSubstr("bytes 0 to 4 belong to no tensor"));
    EXPECT_THAT(refusal("{" + entry("b", 8, 12) + "," + entry("a", 0, 4) + "}", 12),
                HasSubstr("bytes 4 to 8 belong to no tensor"));
    EXPECT_THAT(refusal("{" + entry("a", 0, 8) + "}", 9), HasSubstr("bytes 8 to 9 belong to no tensor"));
    EXPECT_THAT(refusal("{}", 1), HasSubstr("bytes 0 to 1 belong to no tensor"));
    EXPECT_THAT(refusal("{" + entry("a", 0, 4) + "," + entry("none", 8, 8) + "}", 8), HasSubstr("belong to no tensor"));
}

TEST(Safetensors, AreRefusedWhenAKeyComesTwice) {
    EXPECT_THAT(refusal("{" + entry("a", 0, 4) + "," + entry("a", 0, 4) + "}", 4), HasSubstr("the key 'a' twice"));
    EXPECT_THAT(refusal("{" + entry("a", 0, 4) + "," + entry("a", 4, 8) + "}", 8), HasSubstr("the key 'a' twice"));
    EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})", 4),
                HasSubstr("the key 'shape' twice"));
    EXPECT_THAT(refusal(R"({"__metadata__":{"x":"1","x":"2"}})", 0), HasSubstr("the key 'x' twice"));
}

TEST(Safetensors, AreRefusedWhenTheHeaderIsNotAsTheFormatSays) {
    EXPECT_THAT(refusal(" {}", 0), HasSubstr("begins with no '{'"));
    EXPECT_THAT(refusal("", 0), HasSubstr("begins with no '{'"));
    EXPECT_THAT(refusal(R"({"__metadata__":{"epochs":5}})", 0), HasSubstr("'epochs' of the metadata is no text"));
    EXPECT_THAT(refusal(R"({"__metadata__":[]})", 0), HasSubstr("the metadata is no object"));
    EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4), HasSubstr("no shape"));
    std::string too_long = with_header("{}", 0);
    const std::uint64_t length = 100'000'001;
    std::memcpy(too_long.data(), &length, 8);
    EXPECT_THAT(decode_safetensors(too_long).error().message, HasSubstr("100000000 is the most"));
}

TEST(Safetensors, AreReadInTheOrderOfTheirBytes) {
    const std::string header = "{" + entry("c", 8, 12) + "," + entry("a", 0, 8) + "," + entry("b", 8, 8) + "}  ";
    const auto file = decode_safetensors(with_header(header, 12));
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_EQ(file->tensors.size(), 3u);
    EXPECT_EQ(file->tensors[0].name, "a");
    EXPECT_EQ(file->tensors[1].name, "b");
    EXPECT_EQ(file->tensors[2].name, "c");
    EXPECT_TRUE(decode_safetensors(with_header("{}", 0)).has_value());
}

}  // namespace
}  // namespace ktrdr
