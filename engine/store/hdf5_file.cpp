// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/hdf5_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr unsigned kReadAttempts = 20;  // the default lets a reader of a file whose writer was killed spin for minutes

H5Properties fileAccess() {
    H5Properties access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Pset_metadata_read_attempts(access.get(), kReadAttempts);
    H5Pset_file_locking(access.get(), false, true);  // run.lock guards the run, and network file systems may have no locks
    return access;
}

herr_t takeDescription(unsigned depth, const H5E_error2_t* error, void* out) {
    if (depth == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
    return 0;
}

}  // namespace

QuietHdf5::QuietHdf5() {
    // Every handle is closed by its owner; what a damaged file leaves behind would only make the library complain at exit.
    static const herr_t noExitHandler = H5dont_atexit();
    (void)noExitHandler;
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}
QuietHdf5::~QuietHdf5() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

std::string hdf5Problem() {
    std::string text;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, takeDescription, &text);
    return text.empty() ? "HDF5 refused" : text;
}
tl::unexpected<Error> hdf5WriteError(const std::string& path) {
    return jobFailed("Cannot write the HDF5 file", hdf5Problem(), "Check the folder's permissions and free space", path);
}
tl::unexpected<Error> hdf5ReadError(const std::string& path) {
    return badInput("Cannot read the HDF5 file", hdf5Problem(), "It is damaged or incomplete: copy it again, or go on without it", path);
}

H5Type compoundType(std::size_t size, std::span<const Field> fields) {
    H5Type type(H5Tcreate(H5T_COMPOUND, size));
    for (const Field& field : fields) H5Tinsert(type.get(), field.name, field.offset, field.type);
    return type;
}
H5Type halfType() {
    H5Type type(H5Tcopy(H5T_IEEE_F32LE));
    H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
    H5Tset_size(type.get(), 2);
    H5Tset_ebias(type.get(), 15);
    return type;
}
H5Type textType(std::size_t size) {
    H5Type type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), std::max<std::size_t>(size, 1));
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return type;
}

Result<H5File> createHdf5(const fs::path& path) {
    const H5Properties access = fileAccess();
    H5File file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
    if (!file.valid()) return hdf5WriteError(path.string());
    return file;
}

Result<H5File> openHdf5(const fs::path& path, bool live) {
    std::error_code error;
    if (!fs::is_regular_file(path, error))
        return badInput("Cannot read the HDF5 file", "there is no such file", "Copy the run again, or go on without it", path.string());
    const H5Properties access = fileAccess();
    H5File file(H5Fopen(path.c_str(), live ? (H5F_ACC_RDONLY | H5F_ACC_SWMR_READ) : H5F_ACC_RDONLY, access.get()));
    if (!file.valid() && live) file = H5File(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()));
    if (!file.valid()) return hdf5ReadError(path.string());
    return file;
}

Status syncFile(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return jobFailed("Cannot sync the file", std::strerror(errno), "Check the disk", path.string());
    const bool ok = ::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP;
    const std::string why = ok ? "" : std::strerror(errno);
    ::close(descriptor);
    if (!ok) return jobFailed("Cannot sync the file", why, "Check the disk", path.string());
    return {};
}

bool writeAttribute(hid_t object, const char* name, std::int64_t value) {
    const H5Space space(H5Screate(H5S_SCALAR));
    const H5Attribute attribute(H5Acreate2(object, name, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT));
    return attribute.valid() && H5Awrite(attribute.get(), H5T_NATIVE_INT64, &value) >= 0;
}
bool writeAttribute(hid_t object, const char* name, const std::string& value) {
    const H5Space space(H5Screate(H5S_SCALAR));
    const H5Type type = textType(value.size());
    const H5Attribute attribute(H5Acreate2(object, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT));
    const std::string padded = value.empty() ? std::string(1, '\0') : value;
    return attribute.valid() && H5Awrite(attribute.get(), type.get(), padded.data()) >= 0;
}

std::int64_t readIntAttribute(hid_t object, const char* name, std::int64_t fallback) {
    const H5Attribute attribute(H5Aopen(object, name, H5P_DEFAULT));
    if (!attribute.valid()) return fallback;
    const H5Type type(H5Aget_type(attribute.get()));
    const H5Space space(H5Aget_space(attribute.get()));
    std::int64_t value = fallback;
    if (H5Tget_class(type.get()) != H5T_INTEGER || H5Sget_simple_extent_npoints(space.get()) != 1) return fallback;
    return H5Aread(attribute.get(), H5T_NATIVE_INT64, &value) >= 0 ? value : fallback;
}
std::string readTextAttribute(hid_t object, const char* name) {
    const H5Attribute attribute(H5Aopen(object, name, H5P_DEFAULT));
    if (!attribute.valid()) return {};
    const H5Type type(H5Aget_type(attribute.get()));
    const H5Space space(H5Aget_space(attribute.get()));
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0 || H5Sget_simple_extent_npoints(space.get()) != 1) return {};
    std::string value(H5Tget_size(type.get()), '\0');
    const H5Type memory = textType(value.size());
    if (value.size() > (1u << 20) || H5Aread(attribute.get(), memory.get(), value.data()) < 0) return {};
    return value.substr(0, value.find('\0'));
}

bool writeDataset(hid_t file, const char* name, hid_t type, const void* data, std::size_t count) {
    const hsize_t dims = count;
    const H5Space space(H5Screate_simple(1, &dims, nullptr));
    const H5Dataset dataset(H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    return dataset.valid() && (count == 0 || H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
}

Result<AppendColumn> AppendColumn::create(hid_t file, const char* name, hid_t type, std::size_t elementBytes, std::size_t chunkElements,
                                          const std::string& path) {
    const hsize_t dims = 0, limit = H5S_UNLIMITED, chunk = chunkElements;
    const H5Space space(H5Screate_simple(1, &dims, &limit));
    const H5Properties creation(H5Pcreate(H5P_DATASET_CREATE));
    const H5Properties access(H5Pcreate(H5P_DATASET_ACCESS));
    // Without a chunk cache data go straight to the file, and a flush has only metadata to write.
    const bool ok = H5Pset_chunk(creation.get(), 1, &chunk) >= 0 && H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER) >= 0 &&
                    H5Pset_chunk_cache(access.get(), 0, 0, 1.0) >= 0;
    AppendColumn column;
    column.dataset_ = H5Dataset(H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, creation.get(), access.get()));
    column.type_ = H5Type(H5Tcopy(type));
    column.element_bytes_ = elementBytes;
    if (!ok || !column.dataset_.valid() || !column.type_.valid() || H5Tget_size(type) != elementBytes) return hdf5WriteError(path);
    return column;
}

bool AppendColumn::write() {
    if (buffer_.empty()) return true;
    const hsize_t count = buffer_.size() / element_bytes_;
    const hsize_t total = written_ + count;
    if (H5Dset_extent(dataset_.get(), &total) < 0) return false;
    const H5Space fileSpace(H5Dget_space(dataset_.get()));
    const H5Space memorySpace(H5Screate_simple(1, &count, nullptr));
    const hsize_t start = written_;
    if (H5Sselect_hyperslab(fileSpace.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr) < 0) return false;
    if (H5Dwrite(dataset_.get(), type_.get(), memorySpace.get(), fileSpace.get(), H5P_DEFAULT, buffer_.data()) < 0) return false;
    written_ = total;
    buffer_.clear();
    return true;
}
bool AppendColumn::flush() { return H5Dflush(dataset_.get()) >= 0; }

Result<ReadColumn> ReadColumn::open(hid_t file, const char* name, const std::string& path) {
    ReadColumn column;
    column.path_ = path;
    column.dataset_ = H5Dataset(H5Dopen2(file, name, H5P_DEFAULT));
    if (!column.dataset_.valid()) return hdf5ReadError(path);
    const H5Space space(H5Dget_space(column.dataset_.get()));
    hsize_t size = 0;
    if (!space.valid() || H5Sget_simple_extent_ndims(space.get()) != 1 || H5Sget_simple_extent_dims(space.get(), &size, nullptr) < 0)
        return badInput("Cannot read the HDF5 file", std::string("the data set ") + name + " is not one-dimensional", "Copy it again, or go on without it",
                        path);
    if (size > (hsize_t{1} << 40))
        return badInput("Cannot read the HDF5 file", std::string("the data set ") + name + " claims an absurd size", "Copy it again, or go on without it",
                        path);
    column.size_ = static_cast<std::int64_t>(size);
    return column;
}

Status ReadColumn::read(std::int64_t first, std::int64_t count, hid_t memoryType, void* out) const {
    if (first < 0 || count < 0 || first > size_ || count > size_ - first)
        return badInput("Cannot read the HDF5 file", "it refers to data beyond its end", "It is damaged or incomplete: copy it again, or go on without it",
                        path_);
    if (count == 0) return {};
    const hsize_t start = static_cast<hsize_t>(first), length = static_cast<hsize_t>(count);
    const H5Space fileSpace(H5Dget_space(dataset_.get()));
    const H5Space memorySpace(H5Screate_simple(1, &length, nullptr));
    if (H5Sselect_hyperslab(fileSpace.get(), H5S_SELECT_SET, &start, nullptr, &length, nullptr) < 0 ||
        H5Dread(dataset_.get(), memoryType, memorySpace.get(), fileSpace.get(), H5P_DEFAULT, out) < 0)
        return hdf5ReadError(path_);
    return {};
}

Status ReadColumn::readAhead(std::int64_t first, std::int64_t count, hid_t memoryType, std::size_t elementBytes, void* out) {
    constexpr std::size_t kLeast = 64u << 10, kMost = 1u << 20;
    if (first < 0 || count <= 0 || first > size_ || count > size_ - first || static_cast<std::size_t>(count) * elementBytes > kMost)
        return read(first, count, memoryType, out);
    if (first < ahead_first_ || first + count > ahead_first_ + ahead_count_) {
        const auto reach = static_cast<std::int64_t>(ahead_bytes_ / elementBytes);
        const bool walking = ahead_bytes_ > 0 && first >= last_end_ && first - last_end_ <= reach;
        ahead_bytes_ = walking ? std::min(ahead_bytes_ * 2, kMost) : kLeast;
        const std::int64_t wanted = std::min(std::max(count, static_cast<std::int64_t>(ahead_bytes_ / elementBytes)), size_ - first);
        ahead_.resize(static_cast<std::size_t>(wanted) * elementBytes);
        ahead_count_ = 0;
        if (auto status = read(first, wanted, memoryType, ahead_.data()); !status) {
            // Damage further on must not cost what can still be read.
            return read(first, count, memoryType, out);
        }
        ahead_first_ = first;
        ahead_count_ = wanted;
    }
    std::memcpy(out, ahead_.data() + static_cast<std::size_t>(first - ahead_first_) * elementBytes, static_cast<std::size_t>(count) * elementBytes);
    last_end_ = first + count;
    return {};
}

}  // namespace es::store
