"""The node that aligns datasets on request: `alignment/align`."""

from pathlib import Path

from rclpy.node import Node

from mimic_alignment.job import Job, run_job
from mimic_alignment.params import AlignNodeParams
from mimic_core.errors import MimicError
from mimic_core.ros import declare_params, run
from mimic_interfaces.srv import AlignEpisodes


class AlignmentNode(Node):
    """Serves alignment/align; one dataset at a time."""

    def __init__(self) -> None:
        super().__init__('alignment')
        self._params = declare_params(self, AlignNodeParams)
        self.create_service(AlignEpisodes, 'alignment/align', self._on_align)

    def _on_align(
        self, request: AlignEpisodes.Request, response: AlignEpisodes.Response
    ) -> AlignEpisodes.Response:
        try:
            job = Job(
                Path(request.dataset).expanduser(),
                request.method or 'action',
                Path(request.output).expanduser() if request.output else None,
                tuple(request.humans),
                tuple(request.robots),
                self._params.encoder,
            )
            done = run_job(job, self._params)
        except (MimicError, OSError, RuntimeError) as error:  # also a home that nobody has
            response.message = str(error)
            self.get_logger().warning(f'not aligned: {error}')
            return response
        response.success = True
        response.message = done.summary
        response.path = str(done.path)
        response.human_names = list(done.alignment.humans)
        response.robot_names = list(done.alignment.robots)
        response.costs = done.alignment.costs.ravel().tolist()
        self.get_logger().info(f'{done.summary}: {done.path}')
        return response


def main() -> None:
    """Run the node until it is stopped."""
    run(AlignmentNode)


if __name__ == '__main__':
    main()
