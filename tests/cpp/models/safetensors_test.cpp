#include <ktrdr/models/safetensors.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace ktrdr {
namespace {

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

}  // namespace
}  // namespace ktrdr
