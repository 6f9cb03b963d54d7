"""A buf plugin around the grpc_python generator that is linked into grpcio-tools.

buf knows protoc's builtin generators but not gRPC's, which exists only as a C++ program or inside
grpc_tools.protoc.
"""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def generate(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """Hand the request's descriptors to the generator and collect the files it writes."""
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    with tempfile.TemporaryDirectory() as folder:
        descriptors, output = Path(folder, "descriptors.binpb"), Path(folder, "output")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        output.mkdir()
        options = [f"--descriptor_set_in={descriptors}", f"--grpc_python_out={output}"]
        if status := protoc.main(["protoc", *options, *request.file_to_generate]):
            response.error = f"grpc_tools.protoc exited with status {status}"
        for file in sorted(output.rglob("*.py")):
            response.file.add(name=file.relative_to(output).as_posix(), content=file.read_text())
    return response


if __name__ == "__main__":
    asked = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(generate(asked).SerializeToString())
