"""
What TensorFlow functions and operations a model may name: such as only compute.

Keras writes ``x * 2`` or ``tf.nn.relu(x)`` into a model by the function's name, and
calls whatever has that name after loading.  So a name is good if it is here, and else
not: TensorFlow also has functions that read and write files, load libraries, talk to
other machines or call Python.  Functions that only make arrays (`tf.zeros`, `tf.range`)
are left out too: a few digits would ask for any amount of memory.
"""

from __future__ import annotations

import re

_MODULES = {"bitwise", "linalg", "math", "nn", "sets", "signal", "__operators__"}
"""Modules of functions on tensors, the exceptions below apart."""

_EXCEPTIONS = re.compile(
    r"linalg\.(eye|lu_matrix_inverse)|linalg\.experimental\..*|nn\.experimental\..*"
    r"|nn\.\w*sampler|nn\.\w*rnn\w*|signal\.(hamming|hann|kaiser|vorbis)\w*_window"
    r"|signal\.kaiser_bessel_derived_window|signal\.linear_to_mel_weight_matrix"
    r"|math\.sobol_sample"
)
"""`nn.fixed_unigram_candidate_sampler` reads a file, for instance."""

_FUNCTIONS = """
    abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh
    batch_to_space bitcast boolean_mask broadcast_to cast clip_by_global_norm
    clip_by_norm clip_by_value complex concat cos cosh cumsum divide
    dynamic_partition dynamic_stitch einsum ensure_shape equal exp expand_dims floor
    gather gather_nd greater greater_equal identity identity_n less less_equal
    logical_and logical_not logical_or matmul maximum meshgrid minimum multiply
    negative norm not_equal one_hot ones_like pad pow rank realdiv reduce_all
    reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod
    reduce_sum repeat reshape reverse reverse_sequence roll round saturate_cast
    scalar_mul searchsorted sequence_mask shape shape_n sigmoid sign sin sinh size
    slice sort space_to_batch space_to_batch_nd split sqrt square squeeze stack
    stop_gradient strided_slice subtract tan tanh tensor_scatter_nd_add
    tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
    tensor_scatter_nd_update tensordot tile transpose truediv truncatediv truncatemod
    unravel_index unstack where zeros_like
    convert_to_tensor debugging.check_numerics debugging.is_numeric_tensor
    dtypes.cast dtypes.complex dtypes.saturate_cast
    image.adjust_brightness image.adjust_contrast image.adjust_gamma image.adjust_hue
    image.adjust_saturation image.central_crop image.convert_image_dtype
    image.crop_and_resize image.crop_to_bounding_box image.extract_glimpse
    image.extract_patches image.flip_left_right image.flip_up_down
    image.grayscale_to_rgb image.hsv_to_rgb image.image_gradients
    image.pad_to_bounding_box image.per_image_standardization
    image.random_brightness image.random_contrast image.random_crop
    image.random_flip_left_right image.random_flip_up_down image.random_hue
    image.random_saturation image.resize image.resize_with_crop_or_pad
    image.resize_with_pad image.rgb_to_grayscale image.rgb_to_hsv image.rgb_to_yiq
    image.rgb_to_yuv image.rot90 image.sobel_edges image.total_variation
    image.transpose image.yiq_to_rgb image.yuv_to_rgb
    image.resize_bilinear image.resize_bicubic image.resize_area
    image.resize_nearest_neighbor image.resize_images
    quantization.fake_quant_with_min_max_args quantization.fake_quant_with_min_max_vars
    random.shuffle
    strings.as_string strings.join strings.length strings.lower strings.reduce_join
    strings.regex_full_match strings.regex_replace strings.split strings.strip
    strings.substr strings.to_hash_bucket strings.to_hash_bucket_fast
    strings.to_hash_bucket_strong strings.to_number strings.upper
"""

_OPERATIONS = """
    Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd
    Bitcast BroadcastTo Cast Ceil ClipByValue Complex ComplexAbs Concat
    ConcatV2 Conj Conv2D Conv2DBackpropInput Conv3D Cos Cosh Cross Cumprod Cumsum
    DepthToSpace DepthwiseConv2dNative Diag DiagPart Digamma Div DivNoNan Einsum Elu
    EnsureShape Equal Erf Erfc Exp ExpandDims Expm1 FFT FFT2D Floor FloorDiv FloorMod
    FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 Greater
    GreaterEqual IFFT IFFT2D IRFFT Identity IdentityN Imag Inv InvertPermutation
    IsFinite IsInf IsNan L2Loss LRN LeakyRelu Less LessEqual Lgamma Log Log1p LogSoftmax
    LogicalAnd LogicalNot LogicalOr MatMul MatrixBandPart MatrixDeterminant MatrixDiag
    MatrixDiagPart MatrixInverse MatrixSetDiag MatrixTriangularSolve Max MaxPool
    MaxPool3D MaxPoolV2 Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Neg
    NotEqual OneHot OnesLike Pack Pad PadV2 Pow Prod RFFT Rank
    Real RealDiv Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear
    ResizeNearestNeighbor Reverse ReverseSequence ReverseV2 Rint Roll Round Rsqrt
    SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2 Selu Shape
    ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyWithLogits
    Softplus Softsign SpaceToBatchND SpaceToDepth SparseSoftmaxCrossEntropyWithLogits
    Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice Sub
    Sum Tan Tanh TensorScatterAdd TensorScatterUpdate Tile TopK TopKV2 Transpose
    TruncateDiv TruncateMod Unpack UnsortedSegmentSum Where Xdivy Xlogy ZerosLike
"""


_FUNCTION_NAMES = frozenset(_FUNCTIONS.split())
_OPERATION_NAMES = frozenset(_OPERATIONS.split())


def only_computes(function: str) -> bool:
    """Tell whether a function of TensorFlow, by its public name, only computes."""
    name = function.removeprefix("compat.v1.")
    if name in _FUNCTION_NAMES:
        return True
    module, _, last = name.rpartition(".")
    return (
        module in _MODULES and last.islower() and not _EXCEPTIONS.fullmatch(name)
    ) or module == "math.special"


def operation_only_computes(operation: str) -> bool:
    """Tell whether an operation of TensorFlow's graphs only computes."""
    return operation in _OPERATION_NAMES
