# Compiles each public header of the engine's doors alone, then checks that neither Torch nor Qt came along with it.
set(door_headers
  engine/base/result.h engine/base/strong_ids.h engine/base/job_context.h engine/config/run_config.h engine/config/config_io.h
  engine/store/records.h engine/store/routing_view.h engine/store/run_reader.h engine/store/run_writer.h
  engine/reference/compare.h engine/session/engine_session.h engine/session/engine_library.h datasets/dataset.h
  analysis/figures/panel_data.h analysis/figures/figure_recipe.h analysis/compare/comparison.h analysis/report/analyze.h)
set(leak_checks "")
foreach(header IN LISTS door_headers)
  string(MAKE_C_IDENTIFIER ${header} id)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/door_${id}.cpp)
  file(GENERATE OUTPUT ${source} CONTENT
"#include \"${header}\"
#if defined(TORCH_VERSION) || defined(AT_PARALLEL_OPENMP) || defined(C10_MACROS_MACROS_H_) || defined(TORCH_API)
#error Torch leaks through ${header}
#endif
#if defined(QT_VERSION) || defined(Q_OBJECT)
#error Qt leaks through ${header}
#endif
")
  list(APPEND leak_checks ${source})
endforeach()
add_library(public_headers_check OBJECT ${leak_checks})
target_include_directories(public_headers_check PRIVATE ${CMAKE_SOURCE_DIR})
target_link_libraries(public_headers_check PRIVATE es_base es_config es_store es_session es_analysis)
