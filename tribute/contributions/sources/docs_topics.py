"""The topic of each package's modules. A module's path decides the label of its sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LINEAR_ALGEBRA = "linear algebra"
STATISTICS = "statistics"
PLOTTING = "plotting"
GRAPHS = "graphs"
DATES = "dates and times"
DATABASES = "databases"
NETWORKING = "networking"
CONCURRENCY = "concurrency"
SYMBOLIC = "symbolic mathematics"
NEURAL = "neural networks"
FILES = "files and formats"
SIGNALS = "signals and images"
OPTIMISATION = "optimisation"
TEXT = "text processing"
ARRAYS = "dataframes and arrays"

TOPICS = (
    LINEAR_ALGEBRA, STATISTICS, PLOTTING, GRAPHS, DATES, DATABASES, NETWORKING, CONCURRENCY, SYMBOLIC, NEURAL,
    FILES, SIGNALS, OPTIMISATION, TEXT, ARRAYS,
)  # fmt: skip
"""The topics, in the order of the classification head."""

PYTHON = "python"


@dataclass(frozen=True)
class Package:
    """A contributor: its distribution, the folder it installs, its licence and, by topic, its modules.

    Modules are paths below the folder, separated by blanks: folders, files, patterns. The licence stands here
    for packages whose metadata have no SPDX expression.
    """

    id: str
    folder: str
    licence: str
    modules: Mapping[str, str] = field(hash=False)


PACKAGES = (
    Package(PYTHON, "", "PSF-2.0", {
        STATISTICS: "statistics.py random.py",
        PLOTTING: "turtle.py",
        GRAPHS: "graphlib.py",
        DATES: "datetime.py _pydatetime.py calendar.py zoneinfo _strptime.py sched.py",
        DATABASES: "sqlite3 dbm shelve.py",
        NETWORKING: (
            "socket.py http urllib ssl.py smtplib.py ftplib.py imaplib.py socketserver.py poplib.py "
            "ipaddress.py xmlrpc telnetlib.py nntplib.py wsgiref"
        ),
        CONCURRENCY: "asyncio threading.py multiprocessing concurrent queue.py _threading_local.py",
        SYMBOLIC: "fractions.py numbers.py",
        FILES: (
            "pathlib.py shutil.py zipfile* tarfile.py csv.py json configparser.py gzip.py bz2.py lzma.py "
            "pickle.py tempfile.py glob.py fileinput.py plistlib.py _pyio.py posixpath.py genericpath.py "
            "xml tomllib mailbox.py"
        ),
        TEXT: "string.py textwrap.py difflib.py re html gettext.py tokenize.py shlex.py codecs.py email",
        ARRAYS: "_collections_abc.py bisect.py heapq.py",
    }),
    Package("numpy", "numpy", "BSD-3-Clause", {
        LINEAR_ALGEBRA: "linalg matrixlib matlib.py lib/_twodim_base_impl.py",
        STATISTICS: "lib/_histograms_impl.py lib/_nanfunctions_impl.py",
        SYMBOLIC: "lib/_polynomial_impl.py polynomial",
        FILES: "lib/_npyio_impl.py lib/_format_impl.py lib/format.py lib/_datasource.py",
        SIGNALS: "fft",
        TEXT: "_core/defchararray.py _core/strings.py strings char",
        ARRAYS: (
            "ma _core/fromnumeric.py _core/numeric.py _core/multiarray.py _core/shape_base.py "
            "_core/records.py lib/_arraysetops_impl.py lib/_shape_base_impl.py lib/_arraypad_impl.py "
            "lib/_index_tricks_impl.py lib/_stride_tricks_impl.py lib/recfunctions.py"
        ),
    }),
    Package("scipy", "scipy", "BSD-3-Clause", {
        LINEAR_ALGEBRA: "linalg sparse/linalg",
        STATISTICS: "stats",
        GRAPHS: "sparse/csgraph",
        FILES: "io",
        SIGNALS: "signal ndimage fft fftpack",
        OPTIMISATION: "optimize odr",
        ARRAYS: "sparse/_base.py sparse/_construct.py sparse/_csr.py sparse/_coo.py sparse/_data.py",
    }),
    Package("scikit-learn", "sklearn", "BSD-3-Clause", {
        LINEAR_ALGEBRA: "decomposition utils/extmath.py cross_decomposition",
        STATISTICS: "covariance mixture naive_bayes.py gaussian_process metrics/_regression.py",
        PLOTTING: "inspection/_plot metrics/_plot utils/_plotting.py model_selection/_plot.py",
        GRAPHS: "neighbors/_graph.py utils/graph.py cluster/_spectral.py",
        NEURAL: "neural_network",
        SIGNALS: "feature_extraction/image.py",
        OPTIMISATION: "utils/optimize.py linear_model model_selection/_search*.py _loss",
        TEXT: "feature_extraction/text.py",
    }),
    Package("pandas", "pandas", "BSD-3-Clause", {
        PLOTTING: "plotting",
        DATES: (
            "tseries core/indexes/datetimes.py core/indexes/timedeltas.py core/indexes/period.py "
            "core/arrays/datetimes.py core/arrays/timedeltas.py core/arrays/period.py "
            "core/indexes/accessors.py core/tools/datetimes.py core/arrays/datetimelike.py"
        ),
        DATABASES: "io/sql.py",
        FILES: (
            "io/common.py io/parsers io/excel io/json io/parquet.py io/pytables.py io/stata.py io/xml.py "
            "io/html.py io/sas io/pickle.py io/feather_format.py io/orc.py"
        ),
        TEXT: "core/strings",
        ARRAYS: (
            "core/frame.py core/series.py core/generic.py core/reshape core/groupby core/indexes/base.py "
            "core/indexes/multi.py core/algorithms.py core/arrays/base.py core/arrays/categorical.py "
            "core/internals"
        ),
    }),
    Package("torch", "torch", "BSD-3-Clause", {
        LINEAR_ALGEBRA: "linalg _linalg_utils.py _lowrank.py",
        STATISTICS: "distributions",
        GRAPHS: "fx/graph.py fx/graph_module.py fx/node.py fx/passes",
        CONCURRENCY: "multiprocessing futures distributed/rpc distributed/elastic",
        SYMBOLIC: "utils/_sympy fx/experimental/symbolic_shapes.py",
        NEURAL: "nn/modules nn/functional.py nn/utils ao/nn",
        FILES: "serialization.py distributed/checkpoint",
        SIGNALS: "signal fft",
        OPTIMISATION: "optim distributed/optim",
        ARRAYS: "masked functional.py _tensor.py",
    }),
    Package("sympy", "sympy", "BSD-3-Clause", {
        LINEAR_ALGEBRA: "matrices vector",
        STATISTICS: "stats",
        PLOTTING: "plotting",
        SYMBOLIC: "core simplify solvers integrals polys series functions calculus concrete logic sets",
        TEXT: "parsing",
        ARRAYS: "tensor/array",
    }),
    Package("networkx", "networkx", "BSD-3-Clause", {
        LINEAR_ALGEBRA: "linalg",
        PLOTTING: "drawing",
        GRAPHS: "algorithms classes generators",
        FILES: "readwrite",
    }),
    Package("matplotlib", "matplotlib", "PSF-2.0", {
        PLOTTING: (
            "axes figure.py patches.py collections.py colorbar.py lines.py text.py legend.py ticker.py "
            "axis.py contour.py widgets.py spines.py gridspec.py pyplot.py"
        ),
        DATES: "dates.py",
        SIGNALS: "image.py mlab.py",
    }),
    Package("sqlalchemy", "sqlalchemy", "MIT", {
        DATABASES: "sql orm engine pool dialects",
        CONCURRENCY: "util/concurrency.py ext/asyncio",
    }),
    Package("alembic", "alembic", "MIT", {
        DATABASES: "operations autogenerate ddl runtime",
    }),
    Package("aiohttp", "aiohttp", "Apache-2.0", {
        NETWORKING: "*.py",
    }),
    Package("fastapi", "fastapi", "MIT", {
        NETWORKING: "*.py security middleware",
    }),
    Package("httpx", "httpx", "BSD-3-Clause", {
        NETWORKING: "*.py _transports",
    }),
    Package("urllib3", "urllib3", "MIT", {
        NETWORKING: "*.py util",
    }),
    Package("websockets", "websockets", "BSD-3-Clause", {
        NETWORKING: "*.py asyncio sync",
    }),
    Package("anyio", "anyio", "MIT", {
        NETWORKING: "_core/_sockets.py abc/_sockets.py",
        CONCURRENCY: (
            "_core/_tasks.py _core/_synchronization.py abc/_tasks.py to_thread.py from_thread.py "
            "to_process.py _core/_eventloop.py abc/_eventloop.py _core/_subprocesses.py"
        ),
    }),
    Package("joblib", "joblib", "BSD-3-Clause", {
        CONCURRENCY: "parallel.py _parallel_backends.py executor.py pool.py externals/loky",
        FILES: "numpy_pickle.py compressor.py numpy_pickle_utils.py",
    }),
    Package("celery", "celery", "BSD-3-Clause", {
        CONCURRENCY: "concurrency worker app utils/threads.py",
    }),
    Package("mlflow", "mlflow", "Apache-2.0", {
        DATABASES: "store/tracking store/model_registry store/db",
        FILES: "store/artifact utils/file_utils.py",
        NEURAL: "pytorch transformers",
    }),
    Package("prefect", "prefect", "Apache-2.0", {
        DATABASES: "server/database server/utilities/database.py",
        CONCURRENCY: "concurrency _internal/concurrency futures.py task_runners.py locking",
        FILES: "filesystems.py",
    }),
    Package("pendulum", "pendulum", "MIT", {
        DATES: "*.py formatting parsing tz",
    }),
    Package("python-dateutil", "dateutil", "Apache-2.0 OR BSD-3-Clause", {
        DATES: "*.py parser tz",
    }),
    Package("transformers", "transformers", "Apache-2.0", {
        NEURAL: (
            "activations.py modeling_utils.py pytorch_utils.py modeling_layers.py modeling_outputs.py "
            "models/bert models/t5 models/llama models/bart"
        ),
        SIGNALS: (
            "image_transforms.py image_utils.py audio_utils.py image_processing*.py "
            "models/clip/image_processing*.py models/vit/image_processing*.py "
            "models/detr/image_processing*.py feature_extraction_sequence_utils.py video_utils.py"
        ),
        OPTIMISATION: "optimization.py",
        TEXT: "tokenization*.py models/bert/tokenization*.py models/bert_japanese convert_slow_tokenizer.py",
    }),
    Package("peft", "peft", "Apache-2.0", {
        NEURAL: "tuners peft_model.py mixed_model.py",
    }),
    Package("rich", "rich", "MIT", {
        TEXT: "text.py markup.py markdown.py syntax.py highlighter.py cells.py",
    }),
    Package("pygments", "pygments", "BSD-2-Clause", {
        TEXT: "*.py filters formatters lexers/p*.py lexers/m*.py",
    }),
    Package("jinja2", "jinja2", "BSD-3-Clause", {
        TEXT: "filters.py lexer.py parser.py",
    }),
    Package("fsspec", "fsspec", "BSD-3-Clause", {
        FILES: ".",
    }),
    Package("dvc", "dvc", "Apache-2.0", {
        FILES: "fs output.py utils parsing dependency",
    }),
    Package("pillow", "PIL", "MIT-CMU", {
        SIGNALS: ".",
    }),
    Package("pyarrow", "pyarrow", "Apache-2.0", {
        FILES: "parquet feather.py orc.py fs.py dataset.py",
        ARRAYS: "compute.py pandas_compat.py interchange",
    }),
    Package("narwhals", "narwhals", "MIT", {
        ARRAYS: "dataframe.py series.py expr.py functions.py group_by.py",
    }),
    Package("pydot", "pydot", "MIT", {
        GRAPHS: ".",
    }),
    Package("mpmath", "mpmath", "BSD-3-Clause", {
        SYMBOLIC: "calculus functions identification.py",
    }),
)  # fmt: skip
