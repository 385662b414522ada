# A lab PC: ROS 2 Jazzy with RViz, ros2_control and MoveIt, drivers with access to devices.
#   docker compose -f docker/compose.shadow.yaml up
# The udev rules and realtime limits of the host count: there run `sudo docker/install.sh devices`.
FROM ros:jazzy
COPY docker/install.sh /mimic/docker/install.sh
RUN /mimic/docker/install.sh base ros devices display
WORKDIR /mimic
COPY . .
RUN docker/install.sh workspace && rm -rf /root/.cache
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["launch", "shadow"]
