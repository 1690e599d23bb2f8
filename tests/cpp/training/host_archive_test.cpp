#include "../../../cpp/training/src/model_archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "model_tar.hpp"

namespace ktrdr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal_of(const std::string& tar) {
    const auto read = read_model_archive(tar);
    EXPECT_TRUE(read.has_error());
    if (read) {
        return "";
    }
    EXPECT_EQ(read.error().code, Errc::protocol);
    return read.error().message;
}

TEST(ModelArchive, GivesTheFilesOfAModel) {
    const auto read = read_model_archive(test::model_tar() + test::tar_end());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(decode_safetensors(read->content.safetensors)->tensors[0].name, "0.weight");
    EXPECT_EQ(read->content.config.at("strategy_path"), "there.yaml");
    EXPECT_TRUE(read->unknown.empty());
}

TEST(ModelArchive, NamesFilesThatItDoesNotKnowAndReadsNoneOfThem) {
    const auto read =
        read_model_archive(test::model_tar() + test::tar_entry("../../../etc/passwd", "x") + test::tar_end());
    ASSERT_TRUE(read);
    EXPECT_THAT(read->unknown, ElementsAre("../../../etc/passwd"));
}

TEST(ModelArchive, RefusesWhatIsNoPlainFile) {
    for (const char type : {'1', '2', '3', '5', '6', 'x', 'g', 'L'}) {
        EXPECT_THAT(refusal_of(test::tar_entry("config.json", "", type) + test::model_tar() + test::tar_end()),
                    HasSubstr("no plain file"));
    }
    EXPECT_THAT(refusal_of(test::tar_entry("config.json", "{}", '0', "elsewhere") + test::tar_end()),
                HasSubstr("no plain file"));
    EXPECT_THAT(refusal_of(test::tar_entry("", "{}") + test::tar_end()), HasSubstr("no plain file"));
}

TEST(ModelArchive, RefusesAFileThatIsThereTwiceOrMissingOrNotWhatItsNameSays) {
    EXPECT_THAT(refusal_of(test::model_tar() + test::tar_entry("config.json", "{}") + test::tar_end()),
                HasSubstr("twice"));
    EXPECT_THAT(refusal_of(test::tar_end()), HasSubstr("model.safetensors is missing"));
    EXPECT_THAT(refusal_of(test::model_tar()), HasSubstr("no end"));
    const std::string weights(test::model_tar());
    std::string broken = weights + test::tar_end();
    broken.replace(broken.find("{\"history\": []}"), 15, "{\"history\": [}}");
    EXPECT_THAT(refusal_of(broken), HasSubstr("metrics.json"));
    std::string list = weights + test::tar_end();
    list.replace(list.find("{\"history\": []}"), 15, "[\"history\", []]");
    EXPECT_THAT(refusal_of(list), HasSubstr("no JSON object"));
}

TEST(ModelArchive, RefusesSizesThatAreNone) {
    const std::string tar = test::model_tar() + test::tar_end();
    for (const char* size : {"77777777777", "0000000000x", "-0000000001", "           "}) {
        std::string changed = tar;
        changed.replace(124, 11, size);
        EXPECT_THAT(refusal_of(changed), HasSubstr("damaged"));
    }
}

TEST(ModelArchive, IsReadOrRefusedWhateverIsCutOrChanged) {
    const std::string tar = test::model_tar() + test::tar_end();
    for (std::size_t end = 0; end < tar.size() - 1023; end += 61) {
        (void)refusal_of(tar.substr(0, end));
    }
    std::mt19937 random(7);
    for (int i = 0; i < 2000; ++i) {
        std::string changed = tar;
        changed[random() % changed.size()] = static_cast<char>(random());
        if (const auto read = read_model_archive(changed); !read) {
            EXPECT_EQ(read.error().code, Errc::protocol);
        }
    }
}

}  // namespace
}  // namespace ktrdr
