#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "convert.hpp"

namespace ktrdr::bindings {

/// Binds an aggregate that Python fills and hands over at once, field by field, each with the aggregate's own default.
/// Nothing of it can be read back, and its errors repeat no text, for a field may be a secret.
///
/// Errors: `TypeError` naming the field; `_bridge/arguments.py` puts it into the words of who called.
/// Cost: keywords that stand in the source are found by their address, so a request may be made for every HTTP call.
template <class Request>
class RequestClass {
public:
    /// Throws `py::cast_error` for what does not fit.
    using Set = void (*)(Request&, const py::handle&);

    RequestClass(py::module_& module, const char* name, const char* doc) : name_(name), class_(module, name, doc) {}

    /// A member that pybind11 converts by itself.
    template <auto member>
    RequestClass& field(const char* name) {
        return field(name, [](Request& request, const py::handle& value) {
            request.*member = value.cast<std::remove_reference_t<decltype(request.*member)>>();
        });
    }
    RequestClass& field(const char* name, Set set) {
        fields_.push_back({py::reinterpret_steal<py::str>(PyUnicode_InternFromString(name)), set});
        return *this;
    }
    /// Keywords only.
    void done() {
        class_.def(py::init(
            [name = name_, fields = fields_](const py::kwargs& given) { return filled(name, fields, given); }));
    }
    /// One dict, for what is made so often that a copy of the keywords counts.
    void done_by_dict() {
        class_.def(
            py::init([name = name_, fields = fields_](const py::dict& given) { return filled(name, fields, given); }),
            py::arg("given"));
    }

private:
    struct Field {
        py::str name;
        Set set;
    };

    static Request filled(const std::string& name, const std::vector<Field>& fields, const py::dict& given) {
        Request request;
        for (const auto& [key, value] : given) {
            const Field& field = find(name, fields, key);
            try {
                field.set(request, value);
            } catch (const py::cast_error&) {
                throw py::type_error(name + ": " + std::string(field.name) + " cannot be " + described(value));
            }
        }
        return request;
    }
    static const Field& find(const std::string& name, const std::vector<Field>& fields, const py::handle& key) {
        auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name.is(key); });
        if (found == fields.end()) {
            found =
                std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name.equal(key); });
        }
        if (found == fields.end()) {
            std::string known;
            for (const Field& field : fields) {
                known += (known.empty() ? "" : ", ") + std::string(field.name);
            }
            throw py::type_error(name + " has no field " + py::cast<std::string>(key) + "; it has " + known);
        }
        return *found;
    }
    /// A number as it is, anything else by its type.
    static std::string described(const py::handle& value) {
        const bool shown = value.is_none() || PyLong_Check(value.ptr()) != 0 || PyFloat_Check(value.ptr()) != 0;
        return py::cast<std::string>(shown ? py::repr(value) : py::type::handle_of(value).attr("__name__"));
    }

    std::string name_;
    py::class_<Request> class_;
    std::vector<Field> fields_{};
};

}  // namespace ktrdr::bindings
