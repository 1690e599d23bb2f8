#include <ktrdr/models/model_files.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/models/safetensors.hpp>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

struct ModelFolders : ::testing::Test {
    test::TemporaryFolder folder{};
    ManualClock clock{};
    ModelDirectory models{folder.path() / "models", clock};

    fs::path save(const ModelName& of = {"momentum", {"AAPL"}, "1d"}) {
        const std::vector<NamedTensor> tensors{{"0.weight", {1, 2}, {1, 2}}};
        return models
            .save(of, {encode_safetensors(tensors), {{"a", 1}}, {{"b", 2}}, {{"c", 3}}, {{"d", 4}}},
                  [](std::string_view) -> Result<void> { return {}; })
            .value()
            .path;
    }
    static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
};

TEST_F(ModelFolders, GiveBackWhatWasSaved) {
    const fs::path path = save();
    const ModelFiles files = read_model_files(path).value();
    EXPECT_EQ(files.config, (boost::json::object{{"a", 1}}));
    EXPECT_EQ(files.metrics, (boost::json::object{{"b", 2}}));
    EXPECT_EQ(files.features, (boost::json::object{{"c", 3}}));
    EXPECT_EQ(files.metadata.at("version"), 1);
    EXPECT_EQ(read_model_weights(path)->at(0).values, (std::vector<float>{1, 2}));
}

TEST_F(ModelFolders, OfAnEarlierLayoutAreRead) {
    const fs::path path = save();
    write(path / "metadata.json", R"({"version": 1})");
    EXPECT_TRUE(read_model_files(path));
}

TEST_F(ModelFolders, SayWhatIsWrongWithThem) {
    const auto refused = [this](auto change) {
        const fs::path path = save();
        change(path);
        const auto files = read_model_files(path);
        const auto weights = read_model_weights(path);
        const Error error = !files ? files.error() : !weights ? weights.error() : Error{};
        EXPECT_THAT(error.message, HasSubstr(path.string()));
        return error;
    };
    const auto says = [&](Errc code, const std::string& words, auto change) {
        const Error error = refused(change);
        EXPECT_EQ(error.code, code) << error.message;
        EXPECT_THAT(error.message, HasSubstr(words));
    };
    says(Errc::not_found, "no model's folder", [](const fs::path& at) { fs::remove_all(at); });
    says(Errc::invalid_argument, "config.json is missing", [](const fs::path& at) { fs::remove(at / "config.json"); });
    says(Errc::invalid_argument, "features.json is no JSON",
         [](const fs::path& at) { write(at / "features.json", "{"); });
    says(Errc::invalid_argument, "holds no JSON object", [](const fs::path& at) { write(at / "metrics.json", "[1]"); });
    says(Errc::invalid_argument, "is no plain file", [](const fs::path& at) {
        fs::remove(at / "config.json");
        ::mkfifo((at / "config.json").c_str(), 0600);
    });
    says(Errc::invalid_argument, "config.json cannot be read: ", [](const fs::path& at) {
        fs::remove(at / "config.json");
        fs::create_symlink("config.json", at / "config.json");
    });
    says(Errc::invalid_argument, "is no plain file", [](const fs::path& at) {
        fs::remove(at / "config.json");
        fs::create_directory(at / "config.json");
    });
    says(Errc::storage_schema, "layout 3, which a newer ktrdr-core wrote", [](const fs::path& at) {
        write(at / "metadata.json", R"({"layout": 3})");
        fs::remove(at / "features.json");
    });
    says(Errc::invalid_argument, "no layout",
         [](const fs::path& at) { write(at / "metadata.json", R"({"layout": "x"})"); });
    says(Errc::invalid_argument, "no layout",
         [](const fs::path& at) { write(at / "metadata.json", R"({"layout": 0})"); });
    says(Errc::invalid_argument, "model.safetensors is missing",
         [](const fs::path& at) { fs::remove(at / "model.safetensors"); });
    says(Errc::invalid_argument, "not a whole safetensors file",
         [](const fs::path& at) { write(at / "model.safetensors", "abc"); });
    says(Errc::invalid_argument, "is the most",
         [](const fs::path& at) { fs::resize_file(at / "config.json", std::uintmax_t{65} << 20); });
}

TEST_F(ModelFolders, AreListedInOrderOfTheirVersions) {
    std::vector<fs::path> saved;
    for (int version = 1; version <= 11; ++version) {
        saved.push_back(save());
    }
    saved.push_back(save({"momentum", {"MSFT"}, "1d"}));
    saved.insert(saved.begin(), save({"earlier", {"ZZ"}, "1h"}));
    fs::create_directories(folder.path() / "models/momentum/notes");
    fs::create_directories(folder.path() / "models/momentum/.01890000-0000-7000-8000-000000000000.part");
    write(folder.path() / "models/momentum/.01890000-0000-7000-8000-000000000000.part/metadata.json", "{}");
    EXPECT_EQ(list_model_folders(folder.path() / "models"), saved);
    EXPECT_TRUE(list_model_folders(folder.path() / "nowhere").empty());
}

TEST_F(ModelFolders, AreListedWithoutAVersionToo) {
    const fs::path all = folder.path() / "models";
    fs::create_directories(all / "momentum/best");
    write(all / "momentum/best/metadata.json", "{}");
    fs::create_directories(all / ".hidden/best");
    write(all / ".hidden/best/metadata.json", "{}");
    fs::create_directories(all / "momentum/folder_v1/metadata.json");
    write(all / "README", "no strategy's folder");
    write(all / "momentum/notes", "no model's folder");
    const fs::path first = save();
    EXPECT_EQ(list_model_folders(all), (std::vector<fs::path>{first, all / "momentum/best"}));
}

}  // namespace
}  // namespace ktrdr
