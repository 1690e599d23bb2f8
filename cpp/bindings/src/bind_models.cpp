// Rooms models and prediction: saved models, what they are and what they say.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/models/model_files.hpp>
#include <ktrdr/prediction/prediction_stream.hpp>
#include <ktrdr/prediction/predictor.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "numbers.hpp"

namespace ktrdr::bindings {
namespace {

py::buffer_info buffer_of(Numbers& self) {
    std::vector<py::ssize_t> strides(self.shape.size());
    py::ssize_t stride = self.item_size;
    for (std::size_t axis = self.shape.size(); axis-- > 0;) {
        strides[axis] = stride;
        stride *= self.shape[axis];
    }
    return py::buffer_info(const_cast<void*>(self.data), self.item_size, self.format,
                           static_cast<py::ssize_t>(self.shape.size()), self.shape, strides, true);
}

using Model = Predictor;
using ModelPtr = std::shared_ptr<Predictor>;

History history_of(bool exact) {
    return exact ? History::exact : History::least;
}

/// pybind11 holds no pointers to constants; what is bound of it changes nothing.
ModelPtr load(const std::filesystem::path& path) {
    const GilReleased released;
    return std::const_pointer_cast<Predictor>(unwrap(Predictor::load(path)));
}

std::pair<Numbers, Numbers> numbers_of(Predictions predictions, std::size_t classes) {
    const py::ssize_t rows = length(predictions.classes.size());
    return {Numbers::of(std::move(predictions.classes), {rows}),
            Numbers::of(std::move(predictions.chances), {rows, length(classes)})};
}

std::pair<Numbers, Numbers> predict(const Model& self, const py::buffer& rows) {
    // Held while it is read, so nobody can free it meanwhile.
    const py::buffer_info info = rows.request();
    if (!info.item_type_is_equivalent_to<float>() || info.ndim != 2 ||
        info.shape[1] != length(self.feature_names().size()) || info.strides[1] != length(sizeof(float)) ||
        (info.shape[0] > 1 && info.strides[0] != info.strides[1] * info.shape[1])) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  "features must be float32, one row after the other, with " +
                                      std::to_string(self.feature_names().size()) + " values each",
                                  {{"field", "features"}}));
    }
    const GilReleased released;
    return numbers_of(unwrap(self.predict({static_cast<const float*>(info.ptr), static_cast<std::size_t>(info.size)})),
                      self.classes().size());
}

std::tuple<Numbers, Numbers, Numbers, std::vector<std::string>> predict_bars(const Model& self,
                                                                             const std::vector<BarsView>& series,
                                                                             bool exact) {
    const GilReleased released;
    auto found = unwrap(self.predict_bars(series, history_of(exact)));
    auto [classes, chances] = numbers_of(std::move(found.predicted), self.classes().size());
    return {rows_of(found.bar), std::move(classes), std::move(chances), std::move(found.warnings)};
}

std::pair<Numbers, Numbers> features_of(const Model& self, const std::vector<BarsView>& series, bool exact,
                                        bool scaled) {
    const GilReleased released;
    auto found = unwrap(scaled ? self.features_of(series, history_of(exact))
                               : self.unscaled_features_of(series, history_of(exact)));
    const py::ssize_t rows = length(found.bar.size());
    return {rows_of(found.bar), Numbers::of(std::move(found.values), {rows, length(self.feature_names().size())})};
}

/// Name, shape, values.
std::vector<std::tuple<std::string, std::vector<std::int64_t>, Numbers>> weights_of(const Model& self) {
    std::vector<std::tuple<std::string, std::vector<std::int64_t>, Numbers>> weights;
    for (const NamedTensor& tensor : self.weights()) {
        weights.emplace_back(tensor.name, tensor.shape,
                             Numbers::of(tensor.values, {tensor.shape.begin(), tensor.shape.end()}));
    }
    return weights;
}

std::vector<std::string_view> timeframes_of(const Model& self) {
    std::vector<std::string_view> names;
    for (const Timeframe& timeframe : self.timeframes()) {
        names.push_back(timeframe.name());
    }
    return names;
}

/// The class's number and all chances, or nothing.
std::optional<std::pair<std::size_t, std::vector<float>>> push(PredictionStream& self, std::size_t timeframe,
                                                               std::int64_t time, double open, double high, double low,
                                                               double close, double volume) {
    auto prediction = unwrap(self.push(timeframe, {time, {open, high, low, close, volume}}));
    if (!prediction) {
        return std::nullopt;
    }
    return std::pair(prediction->predicted, std::move(prediction->chances));
}

/// Config, metrics, features and metadata.
std::tuple<py::dict, py::dict, py::dict, py::dict> dicts_of(const ModelFiles& files) {
    return {to_python(files.config), to_python(files.metrics), to_python(files.features), to_python(files.metadata)};
}

}  // namespace

void bind_models(py::module_& module) {
    py::class_<Numbers>(module, "Numbers", py::buffer_protocol(), "Read-only numbers that the core made.")
        .def_buffer(&buffer_of);
    py::class_<PredictionStream>(module, "PredictionStream", "Predictions for bars as they come.")
        .def("push", &push, py::arg("timeframe"), py::arg("time"), py::arg("open"), py::arg("high"), py::arg("low"),
             py::arg("close"), py::arg("volume"), "The class and all chances, None where a bar has no prediction.")
        .def_property_readonly("features", &PredictionStream::features)
        .def_property_readonly("warnings", &PredictionStream::warnings)
        .def("missing", &PredictionStream::missing, py::arg("timeframe"),
             "How many bars are still missing before the history is whole.");
    py::class_<Predictor, ModelPtr>(module, "Model", "A saved model, ready to predict.")
        .def(py::init(&load), py::arg("path"))
        .def_property_readonly("files", [](const Model& self) { return dicts_of(self.files()); })
        .def_property_readonly("feature_names", &Predictor::feature_names)
        .def_property_readonly("membership_names", &Predictor::membership_names)
        .def_property_readonly("classes", &Predictor::classes)
        .def_property_readonly("timeframes", &timeframes_of)
        .def_property_readonly("base", &Predictor::base)
        .def_property_readonly("hidden_layers", [](const Model& self) { return self.network().hidden_layers(); })
        .def_property_readonly("activation", [](const Model& self) { return self.strategy().model.activation; })
        .def_property_readonly("dropout", [](const Model& self) { return self.strategy().model.dropout; })
        .def_property_readonly("weights", &weights_of)
        .def(
            "history", [](const Model& self, bool exact) { return unwrap(self.history(history_of(exact))); },
            py::arg("exact"), "Bars before the first one predicted for, in each timeframe.")
        .def("predict", &predict, py::arg("rows"), "Classes and chances of rows of features.")
        .def("features_of", &features_of, py::arg("series"), py::arg("exact"), py::arg("scaled"),
             "Rows of bars, and their features.")
        .def("predict_bars", &predict_bars, py::arg("series"), py::arg("exact"),
             "Rows of bars, their classes and chances, and what a person should know of the bars.")
        .def(
            "choose_series",
            [](const Model& self, std::string_view symbol, std::string_view timeframe,
               std::optional<std::string> what_to_show, std::optional<std::string> session) {
                const SeriesChoice series =
                    self.choose_series(symbol, timeframe, {std::move(what_to_show), std::move(session)});
                return std::pair(series.what_to_show, series.session);
            },
            py::arg("symbol"), py::arg("timeframe"), py::arg("what_to_show"), py::arg("session"),
            "Kind of price and session to read: those given, else those trained on; None for what was several.")
        .def(
            "check_basis",
            [](const Model& self, const BarsView& bars, std::size_t timeframe) {
                unwrap(self.check_basis(bars.symbol(), bars.what_to_show(), timeframe));
            },
            py::arg("bars"), py::arg("timeframe"), "Refuse bars of another kind of price than those trained on.")
        .def(
            "stream",
            [](const Model& self, bool exact, std::string symbol) {
                return unwrap(self.stream(history_of(exact), std::move(symbol)));
            },
            py::arg("exact"), py::arg("symbol"), "For bars as they come.");
    module.def(
        "read_model_files",
        [](const std::filesystem::path& path) {
            ModelFiles files;
            {
                const GilReleased released;
                files = unwrap(read_model_files(path));
            }
            return dicts_of(files);
        },
        py::arg("path"), "Config, metrics, features and metadata of a model's folder.");
    module.def("list_model_folders", &list_model_folders, py::arg("models_dir"), py::call_guard<GilReleased>(),
               "The models' folders, by strategy, name and version.");
}

}  // namespace ktrdr::bindings
