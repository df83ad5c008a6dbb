// Arrays that come from Python, by their names in a dict, checked.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

namespace synth {

inline void need(bool good, const std::string& message) {
    if (!good) throw std::invalid_argument(message);
}

// The array `name` of a dict, which must have this type and shape (-1: any length).
template <class T>
nanobind::ndarray<const T, nanobind::c_contig, nanobind::device::cpu> array(const nanobind::dict& from,
                                                                            const std::string& name,
                                                                            std::initializer_list<int64_t> shape) {
    using Array = nanobind::ndarray<const T, nanobind::c_contig, nanobind::device::cpu>;
    need(from.contains(name.c_str()), name + ": missing");
    Array tensor;
    need(nanobind::try_cast<Array>(from[name.c_str()], tensor, false), name + ": wrong type, or not contiguous");
    bool good = tensor.ndim() == shape.size();
    size_t axis = 0;
    for (const int64_t length : shape) {
        good = good && (length < 0 || tensor.shape(axis) == static_cast<size_t>(length));
        ++axis;
    }
    need(good, name + ": wrong shape");
    return tensor;
}

template <class T>
const T* data(const nanobind::dict& from, const std::string& name, std::initializer_list<int64_t> shape) {
    return array<T>(from, name, shape).data();
}

// A one-dimensional array that owns its values; [n / columns, columns] where columns is not 0.
template <class T>
nanobind::object to_array(const std::vector<T>& values, size_t columns) {
    T* owned = new T[values.size() + 1];
    std::copy(values.begin(), values.end(), owned);
    const nanobind::capsule owner(owned, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    const size_t shape[2] = {columns ? values.size() / columns : values.size(), columns};
    return nanobind::cast(nanobind::ndarray<nanobind::numpy, T>(owned, columns ? 2 : 1, shape, owner));
}

}  // namespace synth
