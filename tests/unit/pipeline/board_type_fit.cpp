// Non-negative least squares, what is read of a CSV file, and board types as they are written.
#include "host/pipeline/board_type_fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/pipeline/board_type_check.hpp"
#include "host/pipeline/least_squares.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

double residual(const Matrix& a, std::span<const double> b, std::span<const double> x) {
  double sum = 0;
  for (std::size_t r = 0; r < a.rows(); ++r) {
    double value = -b[r];
    for (std::size_t c = 0; c < a.columns; ++c) value += a.row(r)[c] * x[c];
    sum += value * value;
  }
  return sum;
}

TEST(LeastSquares, finds_a_solution_that_is_positive) {
  const Matrix a{2, {1, 0, 0, 1, 1, 1}};
  const std::vector<double> b{1, 2, 3};
  const std::vector<double> x = nonnegative_least_squares(a, b);
  EXPECT_NEAR(x[0], 1, 1e-12);
  EXPECT_NEAR(x[1], 2, 1e-12);
}

TEST(LeastSquares, sets_to_zero_what_would_be_negative) {
  const std::vector<double> x =
      nonnegative_least_squares({2, {1, 1, 1, 2, 1, 3}}, std::vector<double>{3, 2, 1});
  EXPECT_EQ(x[1], 0);
  EXPECT_NEAR(x[0], 2, 1e-12);  // the mean
}

TEST(LeastSquares, meets_the_conditions_of_an_optimum_and_no_grid_point_is_better) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 50; ++trial) {
    Matrix a{3, {}};
    std::vector<double> b;
    for (int r = 0; r < 8; ++r) {
      for (int c = 0; c < 3; ++c) a.values.push_back(normal(random));
      b.push_back(normal(random));
    }
    const std::vector<double> x = nonnegative_least_squares(a, b);
    for (std::size_t c = 0; c < 3; ++c) {
      double gradient = 0;
      for (std::size_t r = 0; r < a.rows(); ++r) {
        double error = b[r];
        for (std::size_t k = 0; k < 3; ++k) error -= a.row(r)[k] * x[k];
        gradient += a.row(r)[c] * error;
      }
      EXPECT_GE(x[c], 0);
      EXPECT_LE(gradient, 1e-9) << "a step up would help";
      if (x[c] > 0) {
        EXPECT_NEAR(gradient, 0, 1e-9);
      }
    }
    const double best = residual(a, b, x);
    for (double i = 0; i <= 2; i += 0.1)
      for (double j = 0; j <= 2; j += 0.1)
        for (double k = 0; k <= 2; k += 0.1)
          EXPECT_GE(residual(a, b, std::vector<double>{i, j, k}), best - 1e-9);
  }
}

TEST(LeastSquares, does_not_follow_an_outlier) {
  Matrix a{2, {}};
  std::vector<double> b, offset;
  for (int r = 0; r < 20; ++r) {
    a.values.insert(a.values.end(), {1.0 + r % 5, 0.5 * (r % 7)});
    b.push_back(3 * (1.0 + r % 5) + 4 * 0.5 * (r % 7) + 2);
    offset.push_back(2);
  }
  b[3] *= 5;
  const std::vector<double> x = robust_relative_fit(a, b, offset, 1.5);
  EXPECT_NEAR(x[0], 3, 0.15);
  EXPECT_NEAR(x[1], 4, 0.3);
}

TEST(FitErrors, count_small_errors_in_milliseconds_and_ranks_with_ties) {
  const std::vector<double> measured{2, 10, 100, 100}, predicted{2.9, 13, 110, 120};
  const FitErrors errors = fit_errors(predicted, measured);
  EXPECT_NEAR(errors.median, 0.25, 1e-12);
  EXPECT_NEAR(errors.within, 0.75, 1e-12);
  EXPECT_NEAR(errors.rank, 0.9487, 1e-4);
}

std::string error_of_csv(const std::string& text) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "rows.csv", std::string_view(text));
  try {
    read_timed_models(folder.path() / "rows.csv", "ms");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TimedModels, are_read_with_comments_quotes_and_missing_times) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "rows.csv",
             std::string_view("# from a list\nfile,ms,family\n\"a,b.onnx\",1.5,x\r\nc.onnx,,x\n"));
  const auto rows = read_timed_models(folder.path() / "rows.csv", "ms");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].model, "a,b.onnx");
  EXPECT_EQ(rows[0].family, "x");
  EXPECT_EQ(rows[0].latency_ms, 1.5);
}

TEST(TimedModels, that_are_no_times_are_refused_with_the_line) {
  EXPECT_THAT(error_of_csv("model,ms\na,1\nb,0\n"),
              AllOf(HasSubstr("rows.csv:3:"), HasSubstr("'0' is no time of 'b'")));
  EXPECT_THAT(error_of_csv("model,ms\na,fast\n"), HasSubstr("'fast' is no time"));
  EXPECT_THAT(error_of_csv("model,ms\na,-1\n"), HasSubstr("'-1' is no time"));
  EXPECT_THAT(error_of_csv("model,ms\na,nan\n"), HasSubstr("'nan' is no time"));
  EXPECT_THAT(error_of_csv("model,ms\na,1 ms\n"), HasSubstr("'1 ms' is no time"));
  EXPECT_THAT(error_of_csv("model,ms\na,1,2\n"), HasSubstr("3 cells, but the heading has 2"));
  EXPECT_THAT(error_of_csv("model,ms,sparsity\na,1,90\n"), HasSubstr("'90' is no sparsity of 'a'"));
  EXPECT_THAT(error_of_csv("model,ms,sparsity\na,1,most\n"), HasSubstr("rows.csv:2: 'most' is no"));
  EXPECT_THAT(error_of_csv("model,s\na,1\n"), HasSubstr("no column 'ms'"));
  EXPECT_THAT(error_of_csv("a,1\n"), HasSubstr("no column 'model'"));
}

TEST(BoardFit, of_three_rows_is_refused_before_a_model_is_read) {
  const std::vector<TimedModel> rows(3, {"a.onnx", "", 1});
  try {
    fit_board_type({}, load_facts("rzv2h"), rows, {}, {}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("3 models with a time are too few to fit 15 coefficients"));
  }
}

TEST(BoardFit, is_written_in_place_and_leaves_comments) {
  BoardFit fit;
  fit.coefficients = {{"cost.drp.ms_per_node", 0.25}, {"cost.new.ms_each", 3}};
  fit.interval_factor = 1.5;
  const std::string text = with_fit(
      "[cost]\ninterval_factor = 2.0  # [fitted]\n[cost.drp]\nms_per_node = 1.0  # why\n[fit]\n",
      fit);
  EXPECT_THAT(text, HasSubstr("interval_factor = 1.5"));
  EXPECT_THAT(text, HasSubstr("ms_per_node = 0.25 # why"));
  EXPECT_THAT(text, HasSubstr("[cost.new]\nms_each = 3.0"));
  EXPECT_THAT(text, HasSubstr("rows = 0"));
}

std::string problem_of(Facts facts) {
  try {
    check_board_type(facts, "board.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(BoardTypeCheck, names_what_is_missing_negative_without_unit_or_of_another_type) {
  const Facts good = load_facts("rzv2h");
  EXPECT_EQ(problem_of(good), "no error");
  const auto with = [&](const char* name, Target::Fact fact) {
    Facts facts = good;
    facts[name] = std::move(fact);
    return problem_of(facts);
  };
  const auto without = [&](const char* name) {
    Facts facts = good;
    facts.erase(name);
    return problem_of(facts);
  };
  EXPECT_EQ(without("cost.drp.ms_per_node"), "board.toml: 'cost.drp.ms_per_node' is missing");
  EXPECT_THAT(without("sparse.floor"), HasSubstr("which sparse.supported asks for"));
  EXPECT_THAT(with("cost.drp.ms_per_node", -0.1), HasSubstr("is -0.1; it must be a number of at"));
  EXPECT_THAT(with("clock.ai_mhz", std::int64_t{0}), HasSubstr("above 0"));
  EXPECT_THAT(with("clock.ai", 1000.0),
              AllOf(HasSubstr("'clock.ai' is unknown"), HasSubstr("Known there: ai_mhz, drp_mhz"),
                    HasSubstr("say their unit")));
  EXPECT_THAT(with("clock.ai_mhz", std::string("1000 MHz")), HasSubstr("must be a number"));
  EXPECT_THAT(with("sparse.floor", std::nan("")), HasSubstr("is nan"));
  EXPECT_THAT(with("placement.rule.0.wen", std::string("always")),
              HasSubstr("'placement.rule.0.wen' is unknown"));
  EXPECT_EQ(with("my_backend.anything", 1.0), "no error");
}

TEST(BoardTypeCheck, names_the_line_of_the_file) {
  const TemporaryDirectory folder;
  const std::filesystem::path file = folder.path() / "toy.toml";
  write_file(file, std::string_view("name = \"Toy\"\n[clock]\nai_mhz = -5\n"));
  const auto problem = [&] {
    try {
      check_board_type(load_facts("toy", folder.path()), file.string());
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(problem(), HasSubstr("toy.toml:3: 'clock.ai_mhz' is -5"));
  write_file(file, std::string_view("[[placement.rule]]\nops = [\"Add\"]\n[[placement.rule]]\n"
                                    "wen = \"always\"\n"));
  EXPECT_THAT(problem(), HasSubstr("toy.toml:4: 'placement.rule.1.wen' is unknown"));
}

TEST(BoardTypeCheck, holds_for_every_one_that_is_shipped_and_each_value_names_its_source) {
  for (const std::string& name : board_types()) {
    const std::filesystem::path file = board_type_folder() / (name + ".toml");
    EXPECT_EQ(problem_of(load_facts(name)), "no error") << name;
    std::istringstream text(read_text_file(file));
    int values = 0;
    for (std::string line, section; std::getline(text, line);) {
      if (line.starts_with("[")) section = line.substr(0, line.find(']'));
      const std::size_t equals = line.find(" = ");
      // Lists and rules say it in the lines around them.
      if (equals == std::string::npos || line.find(" ", 0) < equals ||
          section == "[[placement.rule" || section == "[[toolchain.older" || line.ends_with("[") ||
          line.starts_with("name ") || line.starts_with("not_verified"))
        continue;
      ++values;
      const std::string comment = line.substr(std::min(line.find('#'), line.size()));
      EXPECT_TRUE(comment.find("[public]") != std::string::npos ||
                  comment.find("[driver]") != std::string::npos ||
                  comment.find("[2nd hand]") != std::string::npos ||
                  comment.find("[measured]") != std::string::npos ||
                  comment.find("[inferred]") != std::string::npos ||
                  comment.find("[fitted]") != std::string::npos)
          << file << ": " << line;
    }
    EXPECT_GT(values, 30) << name;
  }
}

}  // namespace
}  // namespace adze::host
